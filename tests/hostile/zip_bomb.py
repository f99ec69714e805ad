# Tries:     unpacks kilobytes to gigabytes, in memory and in a file
# Tests:     assert f() > 2_000_000_000
# Verdict:   incorrect
# Unchanged: disk, memory
import io
import zipfile


def f():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("zeros", "w", force_zip64=True) as file:
            for _ in range(8):
                file.write(bytes(10_000_000))
        archive.filelist *= 40
    size = 0
    try:
        with zipfile.ZipFile(packed) as archive, open("/tmp/unpacked", "wb") as out:
            for name in archive.infolist():
                size += out.write(archive.read(name))
    except (OSError, MemoryError):
        pass
    return size
