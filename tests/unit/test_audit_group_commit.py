"""Group commit: who waits is written together, several commits overlap, and a failure reaches all it concerns."""

import threading
from collections.abc import Sequence

import pytest

from sidecar.adapters.audit_files import group_commit
from sidecar.adapters.audit_files.group_commit import GroupCommit
from sidecar.domain.errors import AuditUnavailableError


class Disk:
    """Takes batches, and holds each one until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.let_go = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.error: Exception | None = None
        self.interrupts = False

    def commit(self, items: Sequence[int]) -> list[str]:
        self.batches.append(list(items))
        self.began.release()
        assert self.let_go.acquire(timeout=60)
        if self.interrupts:
            raise KeyboardInterrupt
        if self.error is not None:
            raise self.error
        return [f"place of {item}" for item in items]


class Callers:
    """Threads that each submit once."""

    def __init__(self, commits: GroupCommit[int, str]) -> None:
        self.commits = commits
        self.threads: list[threading.Thread] = []
        self.answers: dict[int, Sequence[str] | BaseException] = {}

    def submit(self, *items: int) -> None:
        def run() -> None:
            try:
                self.answers[items[0]] = self.commits.submit(items)
            except BaseException as error:
                self.answers[items[0]] = error

        before = self.commits._callers
        thread = threading.Thread(target=run)
        self.threads.append(thread)
        thread.start()
        while self.commits._callers == before:  # until it is in line, so that the order is known
            threading.Event().wait(0.001)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def test_each_caller_gets_its_own_places() -> None:
    disk = Disk()
    disk.let_go.release()

    assert GroupCommit(disk.commit).submit([1, 2]) == ["place of 1", "place of 2"]


def test_few_callers_commit_at_once_each_by_itself() -> None:
    disk = Disk()
    callers = Callers(GroupCommit(disk.commit, max_syncs=3))
    for item in (1, 2, 3):
        callers.submit(item)
    for _ in range(3):
        assert disk.began.acquire(timeout=60)  # all three are under way and none is done

    disk.let_go.release(3)
    callers.join()
    assert sorted(disk.batches) == [[1], [2], [3]]


def test_on_a_quick_disk_callers_share_a_commit_from_the_third_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "QUICK_S", 60.0)  # whatever else this machine does, the disk counts as quick
    disk = Disk()
    callers = Callers(GroupCommit(disk.commit))
    disk.let_go.release()
    callers.commits.submit([0])
    for item in (1, 2, 3, 4):
        callers.submit(item)
    for _ in range(3):
        assert disk.began.acquire(timeout=60)
    disk.let_go.release(2)
    assert disk.began.acquire(timeout=60)
    disk.let_go.release()
    callers.join()

    assert disk.batches[0] == [0]
    assert sorted(disk.batches[1:3]) == [[1], [2]]
    assert disk.batches[3:] == [[3, 4]]


def test_what_waits_is_committed_together_by_one_of_them() -> None:
    disk = Disk()
    callers = Callers(GroupCommit(disk.commit, max_syncs=1))
    callers.submit(1)
    assert disk.began.acquire(timeout=60)
    callers.submit(2, 20)
    callers.submit(3)
    callers.submit(4)

    disk.let_go.release(2)
    callers.join()
    assert disk.batches == [[1], [2, 20, 3, 4]]
    assert callers.answers[2] == ["place of 2", "place of 20"]
    assert callers.answers[4] == ["place of 4"]


def test_a_failed_commit_fails_for_all_in_it_and_for_nobody_else() -> None:
    disk = Disk()
    callers = Callers(GroupCommit(disk.commit, max_syncs=1))
    callers.submit(1)
    assert disk.began.acquire(timeout=60)
    callers.submit(2)
    callers.submit(3)
    disk.let_go.release()
    assert disk.began.acquire(timeout=60)
    disk.error = AuditUnavailableError("the disk is full")
    disk.let_go.release()
    callers.join()

    assert callers.answers[1] == ["place of 1"]
    for item in (2, 3):
        error = callers.answers[item]
        assert isinstance(error, AuditUnavailableError)
        assert error.detail == "the disk is full"
    assert callers.answers[2] is not callers.answers[3]


def test_a_mistake_in_the_commit_also_means_not_written() -> None:
    disk = Disk()
    disk.error = RuntimeError("a mistake")
    disk.let_go.release()

    with pytest.raises(AuditUnavailableError):
        GroupCommit(disk.commit).submit([1])


def test_after_a_failure_the_next_caller_is_served() -> None:
    disk = Disk()
    commits = GroupCommit(disk.commit, max_syncs=1)
    disk.error = AuditUnavailableError()
    disk.let_go.release(2)
    with pytest.raises(AuditUnavailableError):
        commits.submit([1])
    disk.error = None

    assert commits.submit([2]) == ["place of 2"]


def test_thousands_of_callers_all_get_their_own_answer() -> None:
    def commit(items: Sequence[int]) -> list[str]:
        return [f"place of {item}" for item in items]

    commits: GroupCommit[int, str] = GroupCommit(commit, max_syncs=4)
    wrong: list[int] = []

    def run(base: int) -> None:
        for item in range(base, base + 200):
            if commits.submit([item]) != [f"place of {item}"]:
                wrong.append(item)

    threads = [threading.Thread(target=run, args=(base * 1000,)) for base in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not wrong
    assert commits._callers == commits._syncing == 0


def test_an_interrupt_of_the_thread_that_commits_strands_nobody() -> None:
    disk = Disk()
    callers = Callers(GroupCommit(disk.commit, max_syncs=1))
    callers.submit(1)
    assert disk.began.acquire(timeout=60)
    callers.submit(2)
    callers.submit(3)
    disk.let_go.release()
    assert disk.began.acquire(timeout=60)
    callers.submit(4)
    disk.interrupts = True
    disk.let_go.release()
    assert disk.began.acquire(timeout=60)  # the slot went on to the one who came later
    disk.interrupts = False
    disk.let_go.release()
    callers.join()

    assert isinstance(callers.answers[2], KeyboardInterrupt)
    assert isinstance(callers.answers[3], AuditUnavailableError)
    assert callers.answers[4] == ["place of 4"]
