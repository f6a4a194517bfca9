"""A trained style is its owner's: nobody else sees it or uses it until it is shared, and it goes when they say so."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pupils import OPEN, OTHER, SERVER, USE, learnt, planned
from realbot.errors import Invalid, NotYours, QueueFull
from realbot.jobs import Done, Origin, StyleUse, Train, User
from studios import ANNA, BERT, HERE, end, rig


async def test_a_style_is_its_owners_until_it_is_shared(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN) as r:
        job = await learnt(r, origin=SERVER)
        names = lambda user, origin=SERVER: [style.name for style in r.studio.styles(origin, user)]  # noqa: E731
        assert names(ANNA) == ["dots"]
        assert names(BERT) == names(BERT, OTHER) == []
        assert r.studio.styles() == []
        assert isinstance(await end(await r.studio.submit(ANNA, USE, HERE)), Done)
        for wish in (USE, replace(USE, styles=(StyleUse("dot"),))):
            with pytest.raises(Invalid) as refused:
                await r.studio.submit(BERT, wish, SERVER)
            assert "did you mean" not in str(refused.value), "that it is there is nobody's business"
            assert "there are no styles here" in str(refused.value)
        with pytest.raises(NotYours):
            await r.studio.share(BERT, "dots", SERVER, on=True)
        with pytest.raises(NotYours):
            await r.studio.discard(BERT, "dots")
        with pytest.raises(NotYours):
            r.studio.weights(BERT, "dots")
        with pytest.raises(Invalid, match="there are no styles here"):
            await r.studio.prefer(BERT, styles=(StyleUse("dots"),))
        await r.studio.prefer(ANNA, styles=(StyleUse("dots"),))
        await r.studio.share(ANNA, "dots", SERVER, on=True)
        assert (names(BERT), names(BERT, OTHER)) == (["dots"], [])
        assert isinstance(await end(await r.studio.submit(BERT, USE, SERVER)), Done)
        with pytest.raises(Invalid):
            await r.studio.submit(BERT, USE, OTHER)
        await r.studio.publish(ANNA, "dots", on=True)
        assert names(BERT, OTHER) == ["dots"]
        await r.studio.publish(ANNA, "dots", on=False)
        await r.studio.share(ANNA, "dots", SERVER, on=False)
        with pytest.raises(Invalid):
            await r.studio.submit(BERT, replace(USE, seed=5), SERVER)
        with pytest.raises(Invalid, match="say it there"):
            await r.studio.share(ANNA, "dots", HERE, on=True)
        path = r.studio.weights(ANNA, "dots")
        assert path.is_file()
        # The style outlives its job, and goes for good when its owner says so.
        await r.studio.forget(ANNA, job.id)
        assert names(ANNA) == ["dots"]
        await r.studio.discard(ANNA, "dots")
        assert not path.exists()
        assert names(ANNA) == []


async def test_linked_accounts_share_their_styles(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN) as r:
        await learnt(r)
        phone = User("telegram", "5")
        assert r.studio.trained(phone) == []
        await r.studio.link(phone, await r.studio.link_code(ANNA))
        assert [one.name for one in r.studio.trained(phone)] == ["dots"]
        assert await r.studio.submit(phone, USE, Origin("telegram", "5"))


async def test_everything_is_handed_out_and_deleted(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN) as r:
        await learnt(r)
        path = r.studio.weights(ANNA, "dots")
        with zipfile.ZipFile(await r.studio.export(ANNA)) as archive:
            assert archive.read("styles/dots.safetensors") == path.read_bytes()
            told = json.loads(archive.read("realbot.json"))
            assert [row["name"] for row in told["trained"]] == ["dots"]
            assert len([name for name in archive.namelist() if name.startswith("pictures/")]) == 6
        await r.studio.erase(ANNA)
        assert not path.exists()
        assert r.studio.trained(ANNA) == []
        assert b"dots" not in (tmp_path / "data" / "realbot.db").read_bytes()
        await learnt(r, BERT)


async def test_a_file_that_nobody_trained_there_is_nobodys(tmp_path: Path):
    """A database from before, or a file that was copied into the folder by hand, opens nothing to everyone."""
    async with rig(tmp_path, sections=OPEN) as r:
        await learnt(r)
        folder = r.studio.weights(ANNA, "dots").parent
        (folder / "stray.safetensors").write_bytes((folder / "dots.safetensors").read_bytes())
        r.styles.sweep()
        assert [style.name for style in r.studio.styles(SERVER, ANNA)] == ["dots"]


async def test_a_training_is_never_answered_by_an_earlier_one(tmp_path: Path):
    async with rig(tmp_path, sections={"training": {"roles": ("everyone",), "per_day": 0}}) as r:
        await learnt(r)
        await r.studio.discard(ANNA, "dots")
        await learnt(r)
        assert len(r.pool.works) == 2
        assert [one.name for one in r.studio.trained(ANNA)] == ["dots"]


async def test_a_broken_request_is_refused(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN) as r:
        good = (await planned(r)).request
        for bad in (
            replace(good, images=good.images[:2]),
            replace(good, images=good.images[:1] * 5),
            replace(good, captions=("a",)),
            replace(good, images=("0" * 64, *good.images)),
            replace(good, style="../x"),
            replace(good, steps=0),
            replace(good, rate=float("nan")),
            Train(style="x", trigger="", images=good.images),
        ):
            with pytest.raises((Invalid, NotYours)):
                await r.studio.submit(ANNA, bad, HERE)
        assert r.pool.works == []
        with pytest.raises(QueueFull):
            async with rig(tmp_path / "closed", sections=OPEN) as shut:
                await shut.studio.close(0)
                await shut.studio.submit(ANNA, good, HERE)
