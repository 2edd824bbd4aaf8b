"""An error that nobody expected, in the examples in Node.js and PHP: the client learns nothing, the log has it."""

from __future__ import annotations

import json
from pathlib import Path

from deployments.test_tokens_of_backends import KID, KeyServer, backends, bearer, good


def test_an_unexpected_error_is_500_without_details(tmp_path: Path) -> None:
    with backends(tmp_path, KeyServer()) as three:
        headers, folder = bearer(good(three.deployment.issuer)), three.deployment.folder
        assert [response.status for response in three.ask(headers=headers)] == [200] * 3
        (kept,) = folder.rglob("keys.json")
        kept.write_text(json.dumps({**json.loads(kept.read_text()), "keys": {KID: ["no key"]}}))  # breaks PHP
        (folder / "clock").unlink()  # breaks Node.js, whose clock is this file
        for response in three.ask(headers=headers)[:2]:  # Go has neither a file of keys nor such a clock
            assert (response.status, response.json) == (500, {"message": "internal error"})
            assert response.headers["Content-Type"] == "application/json"
            assert response.headers["Cache-Control"] == "no-store"
            assert not {"X-Powered-By", "Location"} & set(response.headers)
        (folder / "clock").write_text("0")
        assert [response.status for response in three.ask("/nowhere", headers=headers)] == [404] * 3  # they go on
    # PHP's manager writes what its workers say, some time after the response, and all of it before it ends.
    assert "must be of type" in three.deployment.log("php")
    assert "ENOENT" in three.deployment.log("node")
