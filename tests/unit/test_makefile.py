"""What make is asked for beside its targets."""

import subprocess

import pytest

from clearminds.checkout import ROOT


@pytest.mark.parametrize("target", ["plan", "resume", "demo"])
@pytest.mark.parametrize("study", ["studies/quick.yaml", "mine.yml"])
def test_a_study_that_is_given_as_a_target_is_refused(target, study):
    # make that runs inside another make, as these tests do, says which directory it is in
    command = ["make", "-n", "--no-print-directory", target, study]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode and not done.stdout
    assert done.stderr.endswith(f" a study is given as STUDY={study}.  Stop.\n")


def test_a_study_that_is_given_as_one_is_planned():
    command = ["make", "-n", "--assume-old=setup", "plan", "STUDY=studies/quick.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ".plan --configfile studies/quick.yaml" in done.stdout
