"""A release that is no longer kept: its directory, its files and its images go, nothing else."""

from __future__ import annotations

import re

from bench.site import Site
from bench.visitor import Visitor


def script(visitor: Visitor) -> str:
    """Return the script that the page names."""
    return str(re.findall(r'src="(/assets/[^"]+\.js)"', visitor.get("/").text)[0])


def version_of_the_newest_failed(site: Site) -> str:
    """Return the version that a failed release keeps the images of, whatever else is dropped."""
    manifests = site.manifests()
    failed = [one for one in sorted(manifests) if manifests[one]["outcome"] == "failed"]
    return str(manifests[failed[-1]]["version"]) if failed else "roll-1"


def test_dropped_release_takes_its_files_and_images_along_and_nothing_else(site: Site) -> None:
    stack = f"/srv/slipway/stacks/{site.stack}"
    visitor = site.visitor()
    stays = version_of_the_newest_failed(site)
    if site.serves()["version"] == stays:
        assert site.deploy(stack_version=site.other_version()).ok
    old = script(visitor)
    manifest = site.read(f"releases/{site.serves()['release']}/manifest.json")
    digest = re.findall(r"frontend@(sha256:[0-9a-f]{64})", manifest)[0]
    before = site.run("ls", "-lA", f"{stack}/volumes/media")
    run = site.deploy(stack_version=stays, stack_keep_releases=1)
    assert run.ok, run.output
    serves = site.serves()
    assert visitor.get(old).status_code == 404
    assert visitor.get(script(visitor)).status_code == 200
    kept = site.run("ls", f"{stack}/releases").split()
    rolls = {entry["release"]: entry["outcome"] for entry in site.history()}
    # The newest one that failed stays, for its log; one that was refused never rolled.
    assert {one for one in kept if rolls.get(one, "failed") != "failed"} == {serves["release"]}
    images = site.run("docker", "images", "--digests", "--format", "{{.Repository}} {{.Digest}}")
    assert digest not in images
    assert "postgres" in images
    assert site.run("ls", "-lA", f"{stack}/volumes/media") == before
