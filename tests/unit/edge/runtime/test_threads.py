"""A thread that fails ends the process with code 1; a wish to stop ends it with 0."""

from edge.runtime.threads import Threads


def test_threads_that_stop_when_told_give_exit_code_0() -> None:
    threads = Threads()
    threads.start("waits", lambda: threads.stop.wait(10) and None)
    threads.stop.set()
    assert threads.wait() == 0


def test_an_error_in_one_thread_stops_all_with_exit_code_1() -> None:
    def fails() -> None:
        raise RuntimeError("broken")

    threads = Threads()
    threads.start("waits", lambda: threads.stop.wait(10) and None)
    threads.start("fails", fails)
    assert threads.wait() == 1


def test_a_thread_that_ends_of_itself_stops_the_others() -> None:
    threads = Threads()
    threads.start("ends", lambda: None)
    threads.wait()
    assert threads.stop.is_set()
