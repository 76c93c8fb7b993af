"""The planted bugs: each an exact replacement in one file of the product."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug; `old` must stand exactly once in the file, or the mutant is out of date."""

    name: str
    path: str
    old: str
    new: str
    tests: str = "tests/flows/test_interruptions.py"
    """Where a fast test should notice it; the simulation looks where none does."""

    def plant(self, tree: Path) -> None:
        """Put the bug into a copy of the repository."""
        file = tree / self.path
        text = file.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.path} has the text {text.count(self.old)} times, not once: "
                "bring the mutant up to date"
            )
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


ROLLING_OUT, RECOVER = "flows/rolling_out.py", "flows/recover.py"
PINNING, APPLYING = "slipway/tasks/pinning.py", "slipway/tasks/applying.py"
RESTORING, LEASE = "slipway/tasks/restoring.py", "slipway/tasks/lease.py"
VERIFYING, RELEASES = "slipway/tasks/verifying.py", "slipway/ledger/releases.py"
GATES, ASKING_GATES = "slipway/domain/gates.py", "slipway/tasks/gates.py"
HOLDS = "tests/flows/test_holds.py"
OTHERS = "tests/flows/test_finishing_others.py"

MUTANTS = (
    Mutant(
        "change the stack without asking the ledger first",
        APPLYING,
        "    await record.note(phase, told, engine=None)\n",
        "    str(told)\n",
        "tests/flows/test_journal.py",
    ),
    Mutant(
        "drop the fence check in the ledger",
        RELEASES,
        "    if fence > release.fence:\n",
        "    if fence > release.fence > 10**9:\n",
        "tests/ledger/test_memory.py",
    ),
    Mutant(
        "let a release go on that has lost its lease",
        RELEASES,
        "    if release.fence and newest > release.fence:\n",
        "    if release.fence and newest < 0:\n",
        "tests/ledger/test_memory.py",
    ),
    Mutant(
        "let a takeover overwrite what it has not read",
        RELEASES,
        "    if fence < release.fence and head != release.journal:\n",
        "    if fence < release.fence and not head:\n",
        "tests/ledger/test_memory.py",
    ),
    Mutant(
        "finish a release by what was read before it was taken over",
        "slipway/tasks/record.py",
        "            self.release = await self._ledger.find(self.release.id) or self.release\n"
        "            if self.release.is_open:\n",
        "            newest = await self._ledger.find(self.release.id) or self.release\n"
        "            self.release = replace(self.release, journal=newest.journal)\n"
        "            if self.release.is_open:\n",
        "tests/flows/test_late_commits.py",
    ),
    Mutant(
        "undo an end that was for good",
        RELEASES,
        "    if state in FOR_GOOD and state is not release.state:\n",
        "    if state in FOR_GOOD and fence < 0:\n",
        "tests/ledger/test_memory.py",
    ),
    Mutant(
        "order what went live by a clock that was set back",
        RELEASES,
        "    if release.state is not State.LIVE:\n        return float",
        "    if release.state.is_end:\n        return float",
        "tests/ledger/test_sql.py",
    ),
    Mutant(
        "swallow a 409 at the pin",
        PINNING,
        "        written = await ports.config.write(before, image)\n",
        "        try:\n            written = await ports.config.write(before, image)\n"
        "        except ConfigConflict:\n            written = before\n",
        "tests/flows/test_refusals.py",
    ),
    Mutant(
        "record the pin after it was made",
        PINNING,
        '    await record.note(Phase.PINNING, _intent("pin", before, image))\n    async',
        "    async",
    ),
    Mutant(
        "record the update after it was made",
        APPLYING,
        "        await record.note(Phase.APPLYING)\n",
        "",
    ),
    Mutant(
        "restore without comparing",
        PINNING,
        "            _require_ours(ports, record.release, now)\n",
        "            pass\n",
        "tests/flows/test_restores.py",
    ),
    Mutant(
        "leave the ETag of a write that is on its way alive",
        PINNING,
        "        if is_back and record.release.phase is not Phase.PINNING:\n",
        "        if is_back:\n",
    ),
    Mutant(
        "give up a restore at another key's edit",
        PINNING,
        "            if attempts == ATTEMPTS:\n",
        "            if attempts == 1:\n",
        "tests/flows/test_restores.py",
    ),
    Mutant(
        "skip the digest check",
        "slipway/domain/rollout.py",
        "        if digest not in expected.accepted:\n",
        "        if digest not in expected.accepted and not pod.name:\n",
        "tests/domain/test_rollout.py",
    ),
    Mutant(
        "let a lease run out",
        LEASE,
        "            await ledger.renew(lease, LEASE_SECONDS)\n",
        "            await asyncio.sleep(LEASE_SECONDS)\n",
    ),
    Mutant(
        "never give a lease back",
        LEASE,
        "        await ports.ledger.give_back(lease)\n",
        "        lease.fence.bit_length()\n",
    ),
    Mutant(
        "treat unknown as proven",
        "slipway/domain/rollout.py",
        "            return Judgement(Verdict.UNKNOWN, why, pod.name)\n",
        "            return Judgement(Verdict.PROVEN, why, pod.name)\n",
        "tests/domain/test_rollout.py",
    ),
    Mutant(
        "treat unknown as bad",
        VERIFYING,
        "        return None, watch, Judgement(Verdict.UNKNOWN, str(error))\n",
        "        return None, watch, Judgement(Verdict.DISPROVEN, str(error))\n",
        "tests/flows/test_restores.py",
    ),
    Mutant(
        "take a sick pod for a good one",
        VERIFYING,
        "        if not health.good:\n",
        "        if not health.good and not pod:\n",
    ),
    Mutant(
        "don't wait for idle",
        APPLYING,
        "    while (state := await read_state(ports)).busy:\n",
        "    while (state := await read_state(ports)).busy and told:\n",
    ),
    Mutant(
        "cancel an update that may be alive",
        APPLYING,
        "    if update.result != IN_PROGRESS or not ports.processes.has_ended(engine):\n",
        "    if update.result != IN_PROGRESS:\n",
    ),
    Mutant(
        "apply the revision before the pin",
        ROLLING_OUT,
        "    return ProgramRevision(program.tree, program.commit, revision, only=only)\n",
        "    before = decision.config.revision\n"
        "    return ProgramRevision(program.tree, program.commit, before, only=only)\n",
    ),
    Mutant(
        "skip the refresh in a restore",
        RESTORING,
        "        if baseline.urn:\n            await _refresh",
        "        if not baseline.urn:\n            await _refresh",
        "tests/flows/test_restores.py",
    ),
    Mutant(
        "move :main backwards",
        "slipway/tasks/settling.py",
        "    return await ports.source.is_ancestor(older, newer)\n",
        "    return True\n",
        "tests/flows/test_deploy.py",
    ),
    Mutant(
        "call a pinned release refused",
        ROLLING_OUT,
        " and not _may_have_pinned(record, cause):\n        await record.to(State.REFUSED",
        ":\n        await record.to(State.REFUSED",
    ),
    Mutant(
        "call a release restored without proof",
        ROLLING_OUT,
        "        record.proof = await verify(ports, expected)\n    except SlipwayError",
        "        pass\n    except SlipwayError",
        "tests/flows/test_restores.py",
    ),
    Mutant(
        "leave a cancelled release as it is",
        ROLLING_OUT,
        "    except BaseException as error:\n        if not _may_have_pinned",
        "    except Exception as error:\n        if not _may_have_pinned",
    ),
    Mutant(
        "restore what could not be measured",
        ROLLING_OUT,
        "    except (Unproven, LeaseLost) as error:\n",
        "    except LeaseLost as error:\n",
        "tests/flows/test_restores.py",
    ),
    Mutant(
        "forget what could not be proven",
        ROLLING_OUT,
        "        await record.note(unproven=unproven)\n",
        "        await record.note(unproven=False)\n",
    ),
    Mutant(
        "let a signal end a restore",
        ROLLING_OUT,
        "        before = {each: signal.signal(each, signal.SIG_IGN) for each in _SIGNALS}\n",
        "        before = dict.fromkeys((), signal.SIG_IGN)\n",
        "tests/flows/test_restores.py",
    ),
    Mutant(
        "refuse after the lease is given back",
        "flows/deploy.py",
        "    async with held_for(ports, record), ending_in_order(record):\n",
        "    async with held_for(ports, record):\n",
    ),
    Mutant(
        "start although another release stands open",
        "flows/deploy.py",
        "        await finish_others(ports, record.release)\n",
        "        pass\n",
    ),
    Mutant(
        "recover forward without proof",
        RECOVER,
        "            record.proof = await verify(ports, _expectation(ports, record.release))\n",
        "            record.proof = None\n",
    ),
    Mutant(
        "recover a restore forward",
        RECOVER,
        "    if release.state is State.RESTORING or not",
        "    if not",
    ),
    Mutant(
        "leave Pulumi's state behind after recovery",
        RECOVER,
        "            await align(ports, record)\n",
        "            pass\n",
    ),
    Mutant(
        "leave releases open whose process died early",
        RECOVER,
        "    return release.fence > 0 or ports.processes.has_ended(release.worker)\n",
        "    return release.fence > 0\n",
    ),
    Mutant(
        "block a stack for a target that is gone",
        RECOVER,
        "        left.out_of_reach.add(release.target)\n",
        "        left.out_of_reach.clear()\n",
        OTHERS,
    ),
    Mutant(
        "take a rollback back to what was broken",
        ROLLING_OUT,
        "    if record.release.stays:\n",
        "    if record.release.unproven:\n",
        "tests/flows/test_staying.py",
    ),
    Mutant(
        "adopt what a release has put there meanwhile",
        "slipway/tasks/baseline.py",
        " and await _back_to_live(ports) == history:\n",
        ":\n",
    ),
    Mutant(
        "deploy backwards",
        "slipway/tasks/commits.py",
        "    if await ports.source.is_ancestor(commit, live):\n",
        "    if await ports.source.is_ancestor(commit, live) and live == commit:\n",
        "tests/flows/test_refusals.py",
    ),
    Mutant(
        "change more than the image",
        APPLYING,
        "    require_image_only(preview, wanted, _allowances(ports, release), behind)\n",
        "    behind.strip()\n",
        "tests/flows/test_refusals.py",
    ),
    Mutant(
        "allow in the list what a rollback refuses",
        "slipway/tasks/candidates.py",
        "    listed = newest_first(each.under(seen) for each, _ in looked)\n",
        "    listed = newest_first(each for each, _ in looked)\n",
        "tests/flows/test_candidates_agree.py",
    ),
    Mutant(
        "prune what a mirror's name keeps",
        "slipway/tasks/in_use.py",
        "        for tag in named_commits(text):\n",
        "        for tag in named_commits(text)[:0]:\n",
        "tests/flows/test_pruning_generated.py",
    ),
    Mutant(
        "lose the record of what the registry keeps",
        "flows/deleting.py",
        "        await _put_back(self.every[0], repository, forgotten)\n",
        "        sorted(forgotten)\n",
        "tests/flows/test_pruning.py",
    ),
    Mutant(
        "leave a refused index without its parts",
        "flows/deleting.py",
        "        self.staying |= image.names\n",
        "        self.staying |= {image.digest}\n",
        "tests/flows/test_pruning.py",
    ),
    Mutant(
        "plan what the registry refuses first again",
        "slipway/domain/retention.py",
        "key=lambda each: (each in refused, _born",
        "key=lambda each: (each in tags, _born",
        "tests/flows/test_pruning.py",
    ),
    Mutant(
        "delete what somebody names meanwhile",
        "flows/deleting.py",
        "        require_unnamed(self.plan, found, self.deleted)\n",
        "        str(found)\n",
        "tests/flows/test_pruning.py",
    ),
    Mutant(
        "overlook who changes an environment meanwhile",
        "slipway/tasks/newly_named.py",
        "if not mark or before.get(each) != mark}\n",
        "if not mark or each not in before}\n",
        "tests/flows/test_pruning.py",
    ),
    Mutant(
        "prune what a target that is gone has live",
        "slipway/tasks/in_use.py",
        "    for target in sorted({each.target for each in others}):\n",
        "    for target in sorted({each.target for each in others} & targets):\n",
        "tests/flows/test_pruning.py",
    ),
    Mutant(
        "keep what an audit found before it is told",
        "flows/auditing.py",
        "await audit(every, every_tag=every_tag, complete=complete)\n",
        "await audit(every, every_tag=every_tag, complete=complete, record=True)\n",
        "tests/flows/test_audit.py",
    ),
    Mutant(
        "prune what another key of the environment names",
        "slipway/clients/esc.py",
        "return await self._told(key, found), named(found.text)\n",
        "return await self._told(key, found), named(key.key)\n",
        "tests/clients/test_esc.py",
    ),
    Mutant(
        "keep nothing of what an index too deep names",
        "slipway/tasks/retaining.py",
        "            if not {*each.children} <= {*self.contents}:\n",
        "            if not {*each.children} <= {*each.children}:\n",
        "tests/flows/test_pruning.py",
    ),
    Mutant(
        "let nightly drills use up what is kept",
        "slipway/domain/retention.py",
        "            images.add(str(each.digest or each.image))\n",
        "            images.add(each.id)\n",
        "tests/domain/test_retention.py",
    ),
    Mutant(
        "blame who wrote another key",
        "slipway/clients/esc.py",
        "key.key).value != snapshot.value:\n                return found\n",
        "key.key).value != snapshot.value:\n                return each\n",
        "tests/contracts/test_config_store.py",
    ),
    Mutant(
        "give the lease back before the line is left",
        LEASE,
        "    async with _held(ports, lease), _in_line(ports, record):\n",
        "    async with _in_line(ports, record), _held(ports, lease):\n",
        "tests/flows/test_waiting.py",
    ),
    Mutant(
        "count restarts of long ago",
        "slipway/domain/rollout.py",
        "container.restarts - before.get(key, 0)",
        "container.restarts + 0 * len(before)",
        "tests/domain/test_rollout.py",
    ),
    Mutant(
        "let a person pass a hold without a word",
        GATES,
        "    if not holds or (request.why.strip() and not request.automatic):\n",
        "    if not holds or not request.automatic:\n",
        HOLDS,
    ),
    Mutant(
        "let automation pass a hold by saying why",
        GATES,
        "    if not holds or (request.why.strip() and not request.automatic):\n",
        "    if not holds or request.why.strip():\n",
        HOLDS,
    ),
    Mutant(
        "let automation try a vetoed commit",
        GATES,
        "    if standing is None or (request.options.even_if_vetoed and not request.automatic):\n",
        "    if standing is None or request.options.even_if_vetoed or request.automatic:\n",
        HOLDS,
    ),
    Mutant(
        "supersede by whoever has asked last",
        "slipway/domain/waiting.py",
        "    runs, commit = rivals[which_runs([commit for _, commit in rivals], behind)]\n",
        "    runs, commit = rivals[-1]\n",
        "tests/domain/test_waiting.py",
    ),
    Mutant(
        "take the lease without telling who one is",
        "slipway/tasks/lease.py",
        "acquire(stack, holder, LEASE_SECONDS, process)",
        "acquire(stack, holder, LEASE_SECONDS)",
        "tests/flows/test_interruptions.py",
    ),
    Mutant(
        "restart without asking for the lease again",
        "flows/restart.py",
        "        await require_held(ports, lease)\n",
        "",
        "tests/flows/test_restart.py",
    ),
    Mutant(
        "start another recovery while one is under way",
        "slipway/webhook/left_open.py",
        "        if state is RunState.WAITS:\n            return last\n",
        "        if state is RunState.WAITS:\n            return None\n",
        "tests/webhook/dispatching/test_left_open.py",
    ),
    Mutant(
        "take what a dead release has half applied for live",
        "slipway/tasks/gates.py",
        "    if live in undecided:\n        return\n",
        "",
        "tests/flows/test_order.py",
    ),
    Mutant(
        "share any image of equal inputs, whatever runs",
        "slipway/tasks/publishing.py",
        "    for each in [main, *names] if len(names) > 1 else [*names, main]:\n",
        "    for each in [*names, main]:\n",
        "tests/flows/test_deploy.py",
    ),
    Mutant(
        "leave a push alone whose run was lost with its worker",
        "slipway/webhook/dispatcher.py",
        "        if last is not None and last[1] is Progress.LOST:\n",
        "        if last is not None and last[1] is Progress.OVER:\n",
        "tests/webhook/dispatching/test_dispatcher.py",
    ),
    Mutant(
        "ask Prefect for a run without telling before",
        "slipway/webhook/starting.py",
        "        return await self._make(start) if await self.inbox.intend(start) else None\n",
        "        return await self._make(start)\n",
        "tests/webhook/dispatching/test_in_doubt.py",
    ),
    Mutant(
        "judge what is newer while a start is in doubt",
        "slipway/webhook/dispatcher.py",
        "            self._doubted = await self._starting.end_doubts()\n",
        "            self._doubted = not waiting and await self._starting.end_doubts()\n",
        "tests/webhook/dispatching/test_in_doubt.py",
    ),
    Mutant(
        "deploy what is pushed on top of a rewritten branch",
        "slipway/domain/pushed.py",
        "        or _by_rewrites(after, source, target)\n",
        "",
        "tests/webhook/dispatching/test_rewritten.py",
    ),
    Mutant(
        "take a branch that was pushed back for received",
        "slipway/domain/undelivered.py",
        "    return come > gone\n",
        "    return come > 0\n",
        "tests/webhook/dispatching/test_missed.py",
    ),
    Mutant(
        "take the lease of a process that may be alive",
        "slipway/tasks/waiting.py",
        "    if not ports.processes.has_ended(process):\n",
        "    if process is None:\n",
        "tests/flows/test_interruptions.py",
    ),
    Mutant(
        "publish nothing at a held target",
        "flows/deploy.py",
        "    if not request.automatic:  # a program",
        "    if request.wanted:  # a program",
        HOLDS,
    ),
    Mutant(
        "forget the holds under the lease",
        "slipway/tasks/deciding.py",
        "    await check_holds(ports, release)\n    if seen",
        "    if seen",
        HOLDS,
    ),
    Mutant(
        "leave no hold after a rollback",
        GATES,
        "release.kind is Kind.ROLLBACK and release.state is State.LIVE",
        "release.kind is Kind.ROLLBACK and release.state is State.RESTORED",
        HOLDS,
    ),
    Mutant(
        "never end a hold",
        ASKING_GATES,
        "            None if stay[each.number] else Lift(each.number, by, why)\n",
        "            None if stay[each.number] or by or why else Lift(0, by, why)\n",
        HOLDS,
    ),
    Mutant(
        "end a hold by what was rolled away from",
        ASKING_GATES,
        "    if about is not None and (about == commit or not",
        "    if about is not None and about != commit and (not",
        HOLDS,
    ),
    Mutant(
        "let a person pass a hold that they could not know of",
        GATES,
        "        if came_later(each, release):\n",
        "        if not each.by:\n",
        HOLDS,
    ),
    Mutant(
        "end a hold that came while its release was under way",
        ASKING_GATES,
        "    if came_later(hold, release):\n",
        "    if not hold.by:\n",
        HOLDS,
    ),
    Mutant(
        "let automation end a hold",
        ASKING_GATES,
        "release.kind is not Kind.DEPLOY or release.request.automatic or release.commit is None:",
        "release.kind is not Kind.DEPLOY or release.commit is None:",
        HOLDS,
    ),
    Mutant(
        "veto what was cancelled",
        GATES,
        "release.state is ends and code_of(release.reason) == DISPROVEN",
        "release.state is ends and code_of(release.reason) != DISPROVEN[:0]",
        HOLDS,
    ),
    Mutant(
        "veto what could not be pulled",
        VERIFYING,
        "    if not judgement.started:\n",
        "    if not judgement.started and not judgement.why:\n",
        HOLDS,
    ),
    Mutant(
        "veto nothing",
        GATES,
        "        return NewVeto(release.commit, release.reason, AUTOMATION)\n",
        "        return None\n",
        HOLDS,
    ),
    Mutant(
        "let automation try a vetoed image under another name",
        ASKING_GATES,
        "        if bad is not None and bad.digest == digest:\n",
        "        if bad is not None and bad.digest != digest:\n",
        HOLDS,
    ),
    Mutant(
        "leave who has the lease unheard out of the line",
        "slipway/tasks/waiting.py",
        "if each == mine or each.release != holding]",
        "if each.release != holding]",
        "tests/flows/test_waiting.py",
    ),
    Mutant(
        "start a run for each delivery of a commit",
        "slipway/webhook/starting.py",
        'key = f"slipway:{self.target}:{commit}:{attempt}"',
        'key = f"slipway:{self.target}:{push.delivery}:{attempt}"',
        "tests/webhook/dispatching/test_dispatcher.py",
    ),
    Mutant(
        "release without a pull secret whatever the pods show",
        "slipway/tasks/pull_secrets.py",
        "        if not (why := await why_not_told(ports, seen, image)):\n",
        "        if (why := await why_not_told(ports, seen, image)) is None:\n",
        "tests/flows/test_preflight.py",
    ),
)
