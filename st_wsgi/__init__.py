"""SuperTokens in front of any WSGI app, synchronously: *ours? answer. Not ours? get out of the way.*"""

from __future__ import annotations

from .accounts import (
    AccountInfo,
    UserPage,
    delete_user,
    get_user,
    get_user_count,
    get_users_newest_first,
    get_users_oldest_first,
    list_users_by_account_info,
)
from .app import SuperTokens, init
from .config import AppInfo, Cors
from .cors import get_all_cors_headers
from .current import open_user_context, user_context
from .errors import SuperTokensError
from .limits import InMemoryRateLimit
from .middleware import ErrorHandler, Middleware
from .override import Override, like, replace
from .users import LoginMethod, RecipeUserId, ThirdPartyInfo, User

__all__ = [
    "AccountInfo",
    "AppInfo",
    "Cors",
    "ErrorHandler",
    "InMemoryRateLimit",
    "LoginMethod",
    "Middleware",
    "Override",
    "RecipeUserId",
    "SuperTokens",
    "SuperTokensError",
    "ThirdPartyInfo",
    "User",
    "UserPage",
    "__version__",
    "delete_user",
    "get_all_cors_headers",
    "get_user",
    "get_user_count",
    "get_users_newest_first",
    "get_users_oldest_first",
    "init",
    "like",
    "list_users_by_account_info",
    "open_user_context",
    "replace",
    "user_context",
]

__version__ = "0.1.0"
