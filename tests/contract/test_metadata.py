"""User metadata."""

from __future__ import annotations

from contract.client import Caller, fresh
from contract.covered import covers

PATH = "/recipe/user/metadata"


@covers("GET /recipe/user/metadata", "PUT /recipe/user/metadata", "POST /recipe/user/metadata/remove")
def test_metadata(app: Caller) -> None:
    """Updates merge at the top level; a null there removes a key, deeper down it is a value."""
    user_id = fresh("user")
    app.get(PATH, userId=user_id).says("OK", metadata={})
    app.put(PATH, userId=user_id, metadataUpdate={"a": 1, "b": {"c": None, "d": 1}}).says(
        "OK", metadata={"a": 1, "b": {"c": None, "d": 1}}
    )
    app.put(PATH, userId=user_id, metadataUpdate={"a": None, "b": {"e": "ü"}, "ghost": None}).says(
        "OK", metadata={"b": {"e": "ü"}}
    )
    app.get(PATH, userId=user_id).says("OK", metadata={"b": {"e": "ü"}})
    app.put(PATH, userId=user_id, metadataUpdate={"b": None}).says("OK", metadata={})
    app.put(PATH, userId=user_id, metadataUpdate={"z": []}).has()
    app.post(f"{PATH}/remove", userId=user_id).says("OK")
    app.get(PATH, userId=user_id).says("OK", metadata={})
    app.post(f"{PATH}/remove", userId=user_id).says("OK")


@covers("POST /recipe/user/metadata/bulk")
def test_bulk(app: Caller) -> None:
    """Metadata of many users come in the order asked for, null for who has none."""
    first, second = fresh("user"), fresh("user")
    app.put(PATH, userId=second, metadataUpdate={"a": 1}).has()
    app.post(f"{PATH}/bulk", userIds=[first, second]).says(
        "OK", users=[{"userId": first, "metadata": None}, {"userId": second, "metadata": {"a": 1}}]
    )
    app.post(f"{PATH}/bulk", userIds=[]).says("OK", users=[])
    app.post(f"{PATH}/bulk", userIds=["u"] * 501).refused(400, "You can only query up to 500 users at a time.")
    app.post(f"{PATH}/bulk", userIds=["u", 5]).refused(400, "userIds array must contain only strings")
