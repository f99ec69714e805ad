"""Which devices a machine has, by what its driver, its nodes or nvidia-smi tell."""

import pytest

from clearminds.job import finding_devices as devices


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """Writes what the driver tells of its devices: bus, minor number, uuid; and makes nodes."""
    monkeypatch.delenv("CLEARMINDS_DEVICES", raising=False)
    monkeypatch.setattr(devices, "NVIDIA_PROC", tmp_path / "driver")
    monkeypatch.setattr(devices, "NODES", tmp_path / "dev")
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "dev").mkdir()

    def write(*told: tuple[str, int, str], nodes: list[int]) -> None:
        for bus, minor, uuid in told:
            (tmp_path / "driver" / bus).mkdir(parents=True)
            text = f"Model: \t\t Some GPU\nGPU UUID: \t {uuid}\nBus Location: \t {bus}\nDevice Minor: \t {minor}\n"
            (tmp_path / "driver" / bus / "information").write_text(text)
        for minor in nodes:
            (tmp_path / "dev" / f"nvidia{minor}").touch()

    (tmp_path / "dev" / "nvidiactl").touch()
    return write


TWO = (("0000:41:00.0", 0, "GPU-bb"), ("0000:01:00.0", 1, "GPU-aa"))


def test_devices_are_numbered_by_their_bus_and_locked_by_it(driver):
    driver(*TWO, nodes=[0, 1])
    found = devices.machine()
    assert [(d.id, d.name, d.uuid) for d in found] == [("0", "0000:01:00.0", "GPU-aa"), ("1", "0000:41:00.0", "GPU-bb")]


def test_devices_without_a_node_are_not_this_container_s(driver):
    driver(*TWO, nodes=[0])
    assert [(d.id, d.name) for d in devices.machine()] == [("0", "0000:41:00.0")]


def test_a_number_and_a_uuid_are_one_device(driver):
    driver(*TWO, nodes=[0, 1])
    assert [(d.id, d.name) for d in devices._visible("GPU-b,0,1")] == [("GPU-b", "0000:41:00.0"), ("0", "0000:01:00.0")]
    assert [(d.id, d.name) for d in devices._visible("MIG-x")] == [("MIG-x", "MIG-x")]


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [("GPU-bogus", []), ("0,GPU-bogus,1", ["0"]), ("bogus,0", []), ("0,MIG-x,1", ["0", "MIG-x", "1"])],
)
def test_what_comes_after_an_id_that_the_driver_does_not_know_is_absent(driver, chosen, ids):
    driver(*TWO, nodes=[0, 1])
    assert [d.id for d in devices._visible(chosen)] == ids


def test_a_program_that_does_not_end_is_not_waited_for(monkeypatch):
    """One in an uninterruptible call of the driver outlives its kill."""
    killed = []
    monkeypatch.setattr(devices.subprocess.Popen, "kill", lambda process: killed.append(process))
    with pytest.raises(devices.subprocess.TimeoutExpired):
        devices.answer(["sleep", "30"], seconds=0.01)
    [left] = killed
    assert left.poll() is None
    monkeypatch.undo()
    left.kill()
    left.communicate()


def test_nodes_alone_are_numbered_by_place(driver):
    driver(nodes=[10, 2])
    assert [(d.id, d.name) for d in devices.machine()] == [("0", "nvidia2"), ("1", "nvidia10")]


def test_nvidia_smi_is_asked_last(driver, tmp_path):
    assert devices.machine() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: Some GPU (UUID: GPU-aa)'\necho '  MIG 1g: (UUID: MIG-b)'\n")
    program.chmod(0o755)
    assert devices.machine() == [devices.Device("0", "0", "GPU-aa")]


def test_without_driver_and_machine_known_the_user_s_ids_are_believed(driver):
    assert [(d.id, d.name) for d in devices._visible("2,GPU-c")] == [("2", "2"), ("GPU-c", "GPU-c")]
