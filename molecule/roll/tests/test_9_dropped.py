"""A release that is no longer kept: its containers, its files and its images go, nothing else."""

from __future__ import annotations

import re

from bench.site import Site


def test_dropped_release_takes_its_files_and_images_along_and_nothing_else(site: Site) -> None:
    visitor = site.visitor()
    if site.serves()["version"] != "roll-1":
        assert site.deploy(stack_version="roll-1").ok
    old = site.serves()
    page = visitor.get("/").text
    script = re.findall(r'src="(/assets/[^"]+\.js)"', page)[0]
    old_image = site.read(f"releases/{old['release']}/manifest.json")
    digest = re.findall(r"frontend@sha256:[0-9a-f]{64}", old_image)[0]
    media = site.run("ls", "-la", f"/srv/slipway/stacks/{site.stack}/volumes/media")
    run = site.deploy(stack_version="roll-2", stack_keep_releases=1)
    assert run.ok, run.output
    new = site.serves()["release"]
    assert visitor.get(script).status_code == 404
    assert visitor.get(re.findall(r'src="(/assets/[^"]+\.js)"', visitor.get("/").text)[0]).ok
    assert site.run("ls", f"/srv/slipway/stacks/{site.stack}/releases").split() == [new]
    images = site.run("docker", "images", "--digests", "--format", "{{.Repository}}@{{.Digest}}")
    assert digest not in images
    assert "postgres@" in images
    assert media == site.run("ls", "-la", f"/srv/slipway/stacks/{site.stack}/volumes/media")
