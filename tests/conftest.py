"""What holds for all tests."""

import signal


def pytest_configure():
    """Hear Ctrl-C also where whoever started the tests has switched it off, as `nohup … &` does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
