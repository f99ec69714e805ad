"""Figures as files: one below the other, as SVG that a browser draws and as PDF of equal bytes."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import altair as alt
import polars as pl

from clearminds.checkout import WORKFLOW
from clearminds.report.figure_files import FONT, pdf, save_figure, stacked
from clearminds.report.figures import styled, svg

SVG = "{http://www.w3.org/2000/svg}"


def drawing(n=3, width=200):
    frame = pl.DataFrame({"x": range(n), "y": range(n), "name": [f"variant {i}" for i in range(n)]})
    points = alt.Chart(frame).mark_point(opacity=0.7).encode(x="x:Q", y="y:Q", color="name:N", shape="name:N")
    return svg(styled(points.properties(width=width, height=90, title=alt.TitleParams("a title", subtitle="more"))))


def size(text):
    root = ET.fromstring(text)
    return float(root.get("width")), float(root.get("height"))


def test_drawings_stand_below_each_other_without_overlap():
    drawings = [drawing(2), drawing(5, width=300), drawing(3)]
    both = stacked(drawings)
    assert size(both) == (max(size(one)[0] for one in drawings), sum(size(one)[1] for one in drawings))
    parts = [child for child in ET.fromstring(both) if child.tag == f"{SVG}svg"]
    tops = [float(part.get("y")) for part in parts]
    assert tops == [0, size(drawings[0])[1], size(drawings[0])[1] + size(drawings[1])[1]]
    assert [len(list(part.iter())) for part in parts] == [len(list(ET.fromstring(one).iter())) for one in drawings]
    assert not re.search(r'\\bid="', both), "the same id in two drawings would be one clip path for both"
    assert stacked(drawings[:1]) == drawings[0]


def test_equal_drawings_give_a_pdf_of_equal_bytes_in_every_process():
    drawn = drawing()
    made = {pdf(drawn) for _ in range(4)}
    command = (
        "import sys; from clearminds.report.figure_files import pdf; sys.stdout.buffer.write(pdf(sys.stdin.read()))"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", command],
            input=drawn.encode(),
            capture_output=True,
            check=True,
            env={"PYTHONPATH": str(WORKFLOW)},
        )
        made.add(done.stdout)
    [one] = made
    assert one.startswith(b"%PDF") and len(set(FONT.findall(one))) == 2
    assert b"CreationDate" not in one and b"ModDate" not in one


def test_the_places_of_objects_in_a_pdf_are_those_of_its_table():
    made = pdf(drawing())
    table = made[int(re.search(rb"startxref\s+(\d+)", made)[1]) :]
    assert table.startswith(b"xref")
    first, count = map(int, table.split(maxsplit=3)[1:3])
    entries = re.findall(rb"(\d{10}) \d{5} ([nf])", table)
    assert first == 0 and len(entries) == count > 10
    for number, (place, kind) in enumerate(entries):
        if kind == b"n":
            assert made[int(place) :].startswith(b"%d 0 obj" % number)


def test_where_there_is_nothing_to_draw_the_figure_says_so(tmp_path):
    save_figure([], "No sweep.", tmp_path / "a.svg", tmp_path / "a.pdf")
    assert "No sweep." in (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert {file.name for file in tmp_path.iterdir()} == {"a.svg", "a.pdf"}
