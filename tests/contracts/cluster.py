"""What every Cluster promises: the one in memory, and the client on a real Kubernetes."""

from dataclasses import replace

import pytest

from slipway.domain.fitness import JUST_NOW, require_fit
from slipway.domain.image import Digest
from slipway.domain.rollout import PULL_REASONS, Expectation, Verdict, Watch, judge
from slipway.domain.scheduling import (
    Node,
    Placement,
    Requirement,
    Taint,
    Term,
    Toleration,
    open_to,
    platforms_of,
)
from slipway.domain.target import Workload
from slipway.domain.workloads import Pod, Workloads, running_digest
from slipway.errors import DeploymentUnfit
from tests.contracts.cluster_surroundings import (
    AUTOSCALER,
    BY_HAND,
    CONTAINER,
    OURS,
    Conflict,
    Runs,
    Surroundings,
    Wish,
)


def running(seen: Workloads) -> list[Pod]:
    """The pods that take traffic."""
    return [pod for pod in seen.pods if pod.ready and not pod.terminating]


def digests(pod: Pod) -> set[Digest | None]:
    return {running_digest(each.image_id) for each in pod.containers if each.name == CONTAINER}


def sets_of(seen: Workloads, image: str) -> list[str]:
    """The ReplicaSets of an image, the newest last."""
    found = sorted(seen.replica_sets, key=lambda each: each.revision)
    return [each.name for each in found if each.image == image]


class ClusterContract:
    """Inherit it, and give the fixture `here`."""

    async def test_what_runs_is_shown_with_its_image_its_digest_and_its_pods(
        self, here: Surroundings
    ) -> None:
        await here.cluster.check()
        judgement = await here.applied("web", Wish())

        seen = await here.seen("web")
        [pod], [replica_set] = seen.pods, seen.replica_sets
        [container] = pod.containers
        assert judgement.pod == ""
        assert seen.image == replica_set.image == here.reference(Runs.GOOD)
        assert seen.observed_generation == seen.generation
        assert (seen.replicas, seen.updated, seen.revision) == (1, 1, replica_set.revision)
        assert (pod.ready, pod.terminating, pod.phase) == (True, False, "Running")
        assert (pod.replica_set, pod.unschedulable) == (replica_set.name, "")
        assert digests(pod) <= here.accepted
        assert (container.restarts, container.waiting, container.terminated) == (0, "", "")
        assert (seen.paused, seen.deadline_exceeded) == (False, False)
        await here.until("web", lambda seen: seen.rolled_out)

    async def test_a_pod_that_has_not_started_proves_nothing_and_is_not_well(
        self, here: Surroundings
    ) -> None:
        here.apply("web", Wish())

        told = await here.watched("web", Verdict.PROVEN)

        assert len(told) > 1
        for seen, _ in told[:-1]:
            for pod in seen.pods:
                assert not pod.ready or digests(pod) <= here.accepted
        [pod] = running(told[-1][0])
        assert (await here.cluster.health(here.workload("web"), pod.name)).good

    async def test_a_pod_says_since_when_it_is_as_it_is(self, here: Surroundings) -> None:
        here.apply("web", Wish())
        new = await here.until("web", lambda seen: bool(seen.pods))
        seen = (await here.watched("web", Verdict.PROVEN))[-1][0]
        again = await here.seen("web")

        [made], [ready], [still] = (
            [pod.changed for pod in each.pods] for each in (new, seen, again)
        )
        assert made is not None
        assert ready is not None
        assert made <= ready == still
        assert made.tzinfo is not None

    async def test_a_pod_that_can_not_start_does_not_answer(self, here: Surroundings) -> None:
        here.apply("web", Wish(Runs.ABSENT))
        seen = await here.until("web", lambda seen: bool(seen.pods))

        for pod in [seen.pods[0].name, "of-another-day"]:
            assert not (await here.cluster.health(here.workload("web"), pod)).good

    async def test_a_sick_pod_is_ready_and_says_that_it_is_sick(self, here: Surroundings) -> None:
        await here.applied("web", Wish(Runs.SICK))

        [pod] = running(await here.seen("web"))
        health = await here.cluster.health(here.workload("web"), pod.name)

        assert not health.good
        assert health.status >= 400

    async def test_while_nobody_acts_on_a_change_it_is_known_that_nobody_has_seen_it(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())
        before = await here.seen("web")
        here.stop_controller()
        try:
            here.apply("web", Wish(Runs.BETTER))
            unseen = await here.watched("web", Verdict.UNKNOWN)
        finally:
            here.continue_controller()
        await here.watched("web", Verdict.PROVEN)

        asked = unseen[-1][0]
        assert asked.image == here.reference(Runs.BETTER)
        assert asked.observed_generation == before.generation < asked.generation
        assert asked.replica_sets == before.replica_sets
        assert running(asked) == running(before)
        assert running(await here.seen("web")) != running(before)

    async def test_old_pods_stay_ready_until_new_ones_are(self, here: Surroundings) -> None:
        await here.applied("web", Wish(replicas=2))
        before = await here.seen("web")

        here.apply("web", Wish(Runs.BETTER, replicas=2))
        told = await here.watched("web", Verdict.PROVEN)

        after = told[-1][0]
        [old], [new] = (sets_of(after, here.reference(each)) for each in (Runs.GOOD, Runs.BETTER))
        assert all(len(running(seen)) >= 2 for seen, _ in told)
        assert {pod.replica_set for pod in running(before)} == {old}
        assert {pod.replica_set for pod in running(after)} == {new}
        assert (after.updated, after.revision) == (2, before.revision + 1)

    async def test_a_pod_that_never_becomes_ready_leaves_the_old_one_in_place_until_its_deadline(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())
        [old] = running(await here.seen("web"))

        here.apply("web", Wish(Runs.NEVER_READY, progress_within=3))
        told = await here.watched("web", Verdict.DISPROVEN)

        seen, judgement = told[-1]
        [new] = [pod for pod in seen.pods if pod.name != old.name]
        assert Verdict.WAITING in {each.verdict for _, each in told}
        assert all(old in running(each) for each, _ in told)
        assert seen.deadline_exceeded
        assert "progress deadline" in judgement.why
        assert (new.ready, seen.updated, digests(new) <= here.accepted) == (False, 1, True)

    async def test_pods_that_are_not_ready_any_more_don_t_make_a_rollout_of_it(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish(Runs.HANGS_LATER))

        seen = await here.until("web", lambda seen: not running(seen))

        [pod], [replica_set] = seen.pods, seen.replica_sets
        assert (seen.rolled_out, seen.deadline_exceeded) == (True, False)
        assert (pod.ready, pod.terminating, pod.replica_set) == (False, False, replica_set.name)
        assert (seen.updated, seen.observed_generation) == (1, seen.generation)
        assert seen.seen_at is not None
        assert pod.changed is not None
        with pytest.raises(DeploymentUnfit, match="try again in a minute"):
            require_fit(replace(seen, seen_at=pod.changed), CONTAINER)
        require_fit(replace(seen, seen_at=pod.changed + JUST_NOW), CONTAINER)

    @pytest.mark.parametrize("to", ["another image", "one that was there before"])
    async def test_a_rollout_is_one_from_when_it_is_asked_for_whatever_was_rolled_out_before(
        self, here: Surroundings, to: str
    ) -> None:
        before, after = (
            (Runs.BETTER, Runs.GOOD) if to != "another image" else (Runs.GOOD, Runs.SICK)
        )
        for runs in (Runs.GOOD, before):
            await here.applied("web", Wish(runs))
            require_fit(await here.until("web", lambda seen: seen.rolled_out), CONTAINER)

        here.apply("web", Wish(after))
        told = await here.watched("web", Verdict.PROVEN)

        assert len(told) > 1
        for seen, _ in told[:-1]:
            with pytest.raises(DeploymentUnfit, match="a rollout is under way"):
                require_fit(seen, CONTAINER)

    async def test_going_back_finds_the_old_replica_set_and_the_pod_that_never_went(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())
        [old] = running(await here.seen("web"))
        here.apply("web", Wish(Runs.NEVER_READY))
        await here.until("web", lambda seen: len(seen.pods) == 2)

        await here.applied("web", Wish())
        after = await here.seen("web")

        assert running(after) == [old]
        assert sets_of(after, here.reference(Runs.GOOD)) == [old.replica_set]
        newest = max(after.replica_sets, key=lambda each: each.revision)
        assert (newest.name, newest.revision) == (old.replica_set, after.revision)

    async def test_a_container_that_exits_is_disproven_with_its_last_words(
        self, here: Surroundings
    ) -> None:
        here.apply("web", Wish(Runs.CRASHES))

        seen, judgement = (await here.watched("web", Verdict.DISPROVEN))[-1]
        evidence = await here.cluster.evidence(seen, CONTAINER, judgement.pod)

        [pod] = seen.pods
        [container] = pod.containers
        assert judgement.started
        assert (container.waiting, container.terminated) == ("CrashLoopBackOff", "Error")
        assert (container.ready, container.restarts > 0, container.exit_code) == (False, True, 1)
        assert any(pod.name in line and "CrashLoopBackOff" in line for line in evidence.pods)
        assert any("BackOff" in event for event in evidence.events)
        assert evidence.log

    async def test_a_container_over_its_memory_limit_is_disproven_as_such(
        self, here: Surroundings
    ) -> None:
        here.apply("web", Wish(Runs.OUT_OF_MEMORY))

        _, judgement = (await here.watched("web", Verdict.DISPROVEN))[-1]

        assert "OOMKilled" in judgement.why

    async def test_a_pull_that_is_refused_is_told_with_its_reason_and_has_not_started(
        self, here: Surroundings
    ) -> None:
        here.apply("web", Wish(Runs.ABSENT))

        def refused(seen: Workloads) -> bool:
            return any(each.waiting in PULL_REASONS for pod in seen.pods for each in pod.containers)

        seen = await here.until("web", refused)
        [pod] = seen.pods
        [container] = pod.containers
        evidence = await here.cluster.evidence(seen, CONTAINER, pod.name)
        expected = Expectation(seen.image, here.accepted, CONTAINER)
        _, judgement = judge(expected, Watch(), seen, 0.0)
        assert judgement.verdict in {Verdict.WAITING, Verdict.DISPROVEN}
        assert (pod.ready, pod.phase, container.image_id) == (False, "Pending", "")
        assert here.reference(Runs.ABSENT) in container.waiting_message
        assert (container.restarts, container.exit_code) == (0, None)
        assert not judgement.started
        assert any("Failed" in event for event in evidence.events)
        assert evidence.log == ()

    async def test_scaled_to_zero_nothing_runs_and_nothing_can_be_proven(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())

        here.scale_by_hand("web", 0)
        await here.until("web", lambda seen: not running(seen))

        seen, _ = (await here.watched("web", Verdict.UNKNOWN))[-1]
        assert (seen.replicas, seen.image) == (0, here.reference(Runs.GOOD))
        assert len(seen.replica_sets) == 1
        # A scale's zero is left out on its way (autoscaling/v1, `omitempty`): nobody owns it.
        assert seen.replicas_managers == ()

    async def test_what_is_paused_is_asked_for_and_does_not_come(self, here: Surroundings) -> None:
        await here.applied("web", Wish())
        before = await here.seen("web")

        here.apply("web", Wish(Runs.BETTER, paused=True))
        seen, judgement = (await here.watched("web", Verdict.WAITING))[-1]
        await here.applied("web", Wish(Runs.BETTER))

        assert (seen.paused, seen.image) == (True, here.reference(Runs.BETTER))
        assert seen.observed_generation == seen.generation > before.generation
        assert (seen.updated, seen.revision, seen.rolled_out) == (0, before.revision, False)
        assert seen.replica_sets == before.replica_sets
        assert running(seen) == running(before)
        assert not judgement.started
        assert not (await here.seen("web")).paused

    async def test_a_restart_gives_new_pods_of_the_same_digest(self, here: Surroundings) -> None:
        await here.applied("web", Wish())
        before = await here.seen("web")

        await here.cluster.restart(here.workload("web"))
        told = await here.watched("web", Verdict.PROVEN)

        after = told[-1][0]
        good = here.reference(Runs.GOOD)
        [old], [new] = running(before), running(after)
        assert all(running(seen) for seen, _ in told)
        assert old.name != new.name
        assert digests(old) == digests(new)
        assert sets_of(after, good) == [old.replica_set, new.replica_set]
        assert after.generation > before.generation
        assert after.image_managers == before.image_managers == (OURS,)

    async def test_a_restart_is_part_of_every_template_that_comes_after_it(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())
        await here.applied("web", Wish(Runs.BETTER))
        [first] = sets_of(await here.seen("web"), here.reference(Runs.GOOD))
        await here.cluster.restart(here.workload("web"))
        await here.watched("web", Verdict.PROVEN)

        await here.applied("web", Wish())

        seen = await here.seen("web")
        [pod] = running(seen)
        assert sets_of(seen, here.reference(Runs.GOOD)) == [first, pod.replica_set]

    async def test_what_is_not_there_can_not_be_restarted(self, here: Surroundings) -> None:
        with pytest.raises(DeploymentUnfit, match="there is no"):
            await here.cluster.restart(here.workload("nowhere"))

    async def test_who_changes_a_field_by_hand_owns_it_and_an_update_only_gets_a_share_of_the_same(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())
        here.set_image_by_hand("web", Runs.BETTER)
        taken = await here.seen("web")

        with pytest.raises(Conflict):
            here.apply("web", Wish())
        refused = await here.seen("web")
        here.apply("web", Wish(Runs.BETTER))
        shared = await here.seen("web")

        assert taken.image_managers == refused.image_managers == (BY_HAND,)
        assert taken.image == refused.image == here.reference(Runs.BETTER)
        assert {manager for _, manager in taken.owner_places} == {BY_HAND, OURS}
        assert set(shared.image_managers) == {BY_HAND, OURS}
        assert shared.replicas_managers == (OURS,)
        here.scale_by_hand("web", 2)
        assert (await here.seen("web")).replicas_managers == ("kubectl",)

    async def test_an_autoscaler_owns_the_replicas_that_it_has_changed_and_nobody_else(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())

        here.autoscale("web", 2)

        seen = await here.seen("web")
        assert (seen.replicas, seen.replicas_managers) == (2, (AUTOSCALER,))
        assert seen.image_managers == (OURS,)

    async def test_pull_secrets_are_read_with_the_credentials_that_they_hold(
        self, here: Surroundings
    ) -> None:
        name = here.add_pull_secret("creds", "bot", "s3cr3t-canary")
        here.apply("web", Wish(pull_secrets=(name, "forgotten")))

        found, absent = await here.cluster.pull_secrets(await here.seen("web"))

        [credentials] = found.credentials
        assert (found.name, found.exists, absent.exists) == (name, True, False)
        assert (credentials.host, credentials.username) == ("ghcr.io", "bot")
        assert credentials.password.get_secret_value() == "s3cr3t-canary"
        assert "s3cr3t-canary" not in repr(found)

    async def test_a_template_without_pull_secrets_has_those_of_its_account(
        self, here: Surroundings
    ) -> None:
        here.give_account("of-the-account")
        here.apply("web", Wish())

        found = await here.cluster.pull_secrets(await here.seen("web"))

        assert [each.name for each in found] == ["of-the-account"]

    async def test_labels_find_exactly_one_deployment_or_refuse(self, here: Surroundings) -> None:
        for name in ("one-of", "two-of"):
            here.apply(name, Wish(labels=(("team", "of-two"), ("part", name))))
        both, one = (
            Workload(here.workload("one-of").namespace, CONTAINER, labels=labels)
            for labels in [(("team", "of-two"),), (("part", "one-of"),)]
        )

        with pytest.raises(DeploymentUnfit, match=r"one-of.*two-of"):
            await here.cluster.observe(both)

        found = await here.cluster.observe(one)
        assert found is not None
        assert found.name == here.workload("one-of").name

    async def test_what_is_absent_is_absent_and_another_kind_is_refused_by_name(
        self, here: Surroundings
    ) -> None:
        here.add_stateful_set("keeps")

        assert await here.cluster.observe(here.workload("nowhere")) is None
        with pytest.raises(DeploymentUnfit, match=r"StatefulSet .*keeps"):
            await here.cluster.observe(here.workload("keeps"))

    async def test_everything_that_is_asked_for_or_runs_or_ran_is_among_the_images(
        self, here: Surroundings
    ) -> None:
        await here.applied("web", Wish())
        await here.applied("web", Wish(Runs.BETTER))
        here.apply("web", Wish(Runs.ABSENT))

        images = await here.cluster.images()

        asked = {here.reference(each) for each in (Runs.GOOD, Runs.BETTER, Runs.ABSENT)}
        assert asked <= images
        assert {running_digest(each) for each in images} & here.accepted

    async def test_nodes_tell_their_platforms_and_what_keeps_pods_off_them(
        self, here: Surroundings
    ) -> None:
        taint = Taint("team", "NoSchedule", "vision")
        made = Node("spot", "linux/arm64", {"tier": "spot"}, (taint,), cordoned=True)

        name = here.add_node(made)

        found = {each.name: each for each in await here.cluster.nodes()}
        ours = found.pop(name)
        assert (ours.platform, ours.labels["tier"], ours.cordoned) == ("linux/arm64", "spot", True)
        assert taint in ours.taints
        assert platforms_of(open_to(Placement(), found.values())) == {"linux/amd64"}

    async def test_a_template_tells_which_nodes_its_pods_may_come_to(
        self, here: Surroundings
    ) -> None:
        names = Requirement("metadata.name", "NotIn", ("other",))
        asks = Placement(
            (("kubernetes.io/os", "linux"),),
            (
                Term((Requirement("tier", "In", ("spot", "stable")),), (names,)),
                Term((Requirement("kubernetes.io/arch", "Exists"),)),
            ),
            (Toleration("team", value="vision", effect="NoSchedule"), Toleration("", "Exists")),
        )

        here.apply("plain", Wish())
        here.apply("web", Wish(placement=asks))

        assert (await here.seen("plain")).placement == Placement()
        assert (await here.seen("web")).placement == asks
