"""What holds for all tests, and what many of them ask for."""

import signal
import sys

import pytest

from jinhua_rs import cli


def pytest_configure():
    """Hear Ctrl-C also where whoever started the tests has switched it off, as `nohup … &` does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def jinhua(capsys, monkeypatch, tmp_path):
    """Call the command line in a folder of the test; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["jinhua-rs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call
