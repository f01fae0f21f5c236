"""Whatever stands in nova's files: after a run nova's own code gives each VF what the testbed says, or the run refuses.

Each host is seen twice: as an operator has left it, and after edits of the files that we have written. nova 23 and 34
read them before and after.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest
from nova_judge import Reading, readings
from whitelist_cases import PATHS, SECRETS, Content, Site, config_files, edited, files, site

from sriov.formats.nova.devices import Kind
from sriov.formats.nova.edit import effective
from sriov.formats.nova.whitelist import entries_of
from sriov.resources.contract import Change, Problem, Severity, WriteFile
from sriov.resources.nova_options import CAPABILITY

pytestmark = pytest.mark.nova

_DEVICE = {"devname", "address", "vendor_id", "product_id"}
CASES = 2000  # of each release; half of them are first runs
RELEASES = (23, 34)


class Run(NamedTuple):
    """A run of ours over the files of a host; `after` None: it refused. `edits`: what was done to ours before."""

    host: Site
    release: int
    before: Content
    after: Content | None
    edits: tuple[str, ...]
    said: str


def _run(host: Site, content: Content, release: int, edits: tuple[str, ...] = ()) -> Run:
    request, facts = host.request(release), host.facts(content)
    items = list(CAPABILITY.desired(request, facts))
    answers = [*(item for item in items if isinstance(item, Problem))]
    wanted = tuple(item for item in items if not isinstance(item, Problem))
    after = dict(zip(PATHS, content, strict=True))
    said = []
    for answer in (*answers, *CAPABILITY.changes(request, facts, wanted, ())):
        if isinstance(answer, Problem) and answer.severity is Severity.IMPOSSIBLE:
            return Run(host, release, content, None, edits, str(answer))
        if isinstance(answer, Change):
            said += [str(answer), *answer.diff]
            for step in answer.steps:
                assert isinstance(step, WriteFile)
                after[step.path] = step.content.decode()
        else:
            said.append(str(answer))
    return Run(host, release, content, tuple(after.values()), edits, "\n".join(said))


def _runs(release: int, seeds: range) -> Iterator[Run]:
    for seed in seeds:
        random_ = random.Random(f"{release} {seed}")
        host = site(random_)
        first = _run(host, files(random_, host), release)
        yield first
        if first.after is not None:
            content, edits = edited(random_, host, first.after, release)
            yield _run(host, content, release, edits)


def _faults(run: Run, before: Reading, after: Reading) -> Iterator[str]:
    if after.error:
        yield f"done, and nova refuses: {after.error}"
        return
    is_right = not before.error
    for device, was, now in zip(run.host.hardware.devices, before.tags or after.tags, after.tags, strict=True):
        if device.address in run.host.wanted():
            yield from _faults_of_vf(run, device.address, was, now)
            is_right = is_right and not list(_faults_of_vf(run, device.address, was, was))
        elif device.kind is Kind.VIRTUAL and not before.error and was != now and "_no_checksum" not in run.edits:
            yield f"{device.address} is none of ours: {was} became {now}"
        elif device.kind is Kind.PHYSICAL and not before.error and not run.edits and was is None and now is not None:
            vfs = [vf.parent == device.address for vf in run.host.hardware.devices]
            if any(tags for tags, is_its in zip(before.tags, vfs, strict=True) if is_its):
                yield f"{device.address} was not offered, and is now: {now}"
    if is_right and not run.edits and run.host.product and run.after != run.before:
        yield "all was right, and a file was written"


def _faults_of_vf(
    run: Run, address: str, was: Mapping[str, object] | None, now: Mapping[str, object] | None
) -> Iterator[str]:
    physnet, pf = run.host.wanted()[address]
    if physnet is None:
        if now is not None:
            yield f"{address} is the host's, and is offered: {now}"
        return
    remote = None if now is None or run.release < 25 else now.get("remote_managed")
    if now is None or str(now.get("physical_network")).lower() != physnet or str(remote or False).lower() != "false":
        yield f"{address} should be of {physnet}: {now}"
        return
    if pf.trusted is not None and (str(now.get("trusted")).lower() == "true") != pf.trusted:
        yield f"{address} should be trusted {pf.trusted}: {now}"
    ours = {"physical_network", "remote_managed", *(("trusted",) if pf.trusted is not None else ())}
    if run.edits or not run.host.product:  # where the kernel does not tell it, the entry that counts is not known
        return
    for tag, value in (was or {}).items():
        if tag not in ours and now.get(tag) != value and not _is_operators(run, now):
            yield f"{address} has lost {tag} {value!r}: {now}"


def _is_operators(run: Run, tags: Mapping[str, object]) -> bool:
    """Whether an entry of the operator, behind the one that took the VF, has just these tags."""
    values = effective(config_files(run.before), run.release, "nova-compute").whitelist
    entries = [entry for value in values for entry in entries_of(value, run.release)[1]]
    return any(
        tags.keys() == entry.keys() - _DEVICE and tags["physical_network"] == entry["physical_network"]
        for entry in entries
    )


@pytest.fixture(scope="module", params=RELEASES)
def judged(request: pytest.FixtureRequest) -> Sequence[tuple[Run, Reading, Reading]]:
    release: int = request.param
    runs = list(_runs(release, range(CASES // 2)))
    done = [run for run in runs if run.after is not None]
    assert len(done) > 0.7 * len(runs)
    asked = {content: run.host for run in done for content in (run.before, run.after or ())}
    order = sorted(((host, content) for content, host in asked.items()), key=lambda one: repr(one[0].vf_names))
    read = readings(release, [(host.hardware, [text for text in content if text]) for host, content in order])
    found = {content: reading for (_, content), reading in zip(order, read, strict=True)}
    return [(run, found[run.before], found[run.after or ()]) for run in done]


def test_nova_gives_each_vf_what_the_testbed_says(judged: Sequence[tuple[Run, Reading, Reading]]) -> None:
    faults = [(fault, run) for run, before, after in judged for fault in _faults(run, before, after)]
    for fault, run in faults[:3]:
        print(*run.before, "-----", *(run.after or ()), fault, run.edits, run.host.pfs, sep="\n")
    assert [fault for fault, _ in faults] == []
    # the cases are worth something: many need no change, many do
    unchanged = sum(run.before == run.after for run, _, _ in judged)
    assert 0.1 < unchanged / len(judged) < 0.9


def test_nothing_that_is_not_ours_is_said(judged: Sequence[tuple[Run, Reading, Reading]]) -> None:
    assert [run.said for run, _, _ in judged if any(secret in run.said for secret in SECRETS)] == []


def test_second_run_changes_nothing(judged: Sequence[tuple[Run, Reading, Reading]]) -> None:
    for run, _, _ in judged[:400]:
        assert run.after is not None
        again = _run(run.host, run.after, run.release)
        assert again.after == run.after
