"""Requests to stop: counted everywhere, raised where that is asked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from nemotron.execution.interruption import Interrupted, stop_requests

REQUESTS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Whatever a test leaves behind, the next one finds the handlers of before."""
    before = {number: signal.getsignal(number) for number in REQUESTS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ask(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", REQUESTS)
def test_a_request_ends_the_block_that_asks_for_it(number: signal.Signals) -> None:
    with stop_requests() as requests, pytest.raises(Interrupted), requests.raised():
        ask(number)
    assert requests.count == 1


def test_outside_such_a_block_requests_are_only_counted() -> None:
    with stop_requests() as requests:
        for number in REQUESTS:
            ask(number)
        with requests.raised():
            pass
    assert requests.count == 3


def ask_twice() -> None:
    try:
        ask(signal.SIGINT)
    finally:
        ask(signal.SIGINT)


def test_one_block_is_ended_once() -> None:
    with stop_requests() as requests, pytest.raises(Interrupted), requests.raised():
        ask_twice()
    assert requests.count == 2


def test_the_handlers_of_before_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in REQUESTS]
    with stop_requests():
        assert [signal.getsignal(number) for number in REQUESTS] != before
    assert [signal.getsignal(number) for number in REQUESTS] == before


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_requests() as requests, requests.raised():
        ask(signal.SIGHUP)
    assert requests.count == 0
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
