"""SuperTokens in front of any WSGI app, synchronously: *ours? answer. Not ours? get out of the way.*"""

from __future__ import annotations

from .accounts import (
    AccountInfo,
    UserPage,
    delete_user,
    get_active_user_count,
    get_user,
    get_user_count,
    get_users_newest_first,
    get_users_oldest_first,
    list_users_by_account_info,
)
from .app import SuperTokens, init
from .attempts import AttemptStore, MemoryAttempts
from .config import AppInfo, Cors
from .core_client.replies import Reply
from .errors import SuperTokensError
from .events import SecurityEvent
from .limits import AttemptLimits
from .mappings import (
    UnknownMapping,
    UnknownSuperTokensUserId,
    UserIdMapping,
    UserIdMappingAlreadyExists,
    create_user_id_mapping,
    delete_user_id_mapping,
    get_user_id_mapping,
    update_or_delete_user_id_mapping_info,
)
from .recipe_kit.override import Override, like, replace
from .recipe_kit.results import GeneralError, Ok
from .request.context import RequestContext
from .request.cors import get_all_cors_expose_headers, get_all_cors_headers
from .request.current import (
    answer_error,
    get_request_from_user_context,
    is_recipe_initialized,
    open_user_context,
    user_context,
)
from .request.middleware import ErrorHandler, Middleware
from .users import LoginMethod, RecipeUserId, ThirdPartyInfo, User, convert_to_recipe_user_id

__all__ = [
    "AccountInfo",
    "AppInfo",
    "AttemptLimits",
    "AttemptStore",
    "Cors",
    "ErrorHandler",
    "GeneralError",
    "LoginMethod",
    "MemoryAttempts",
    "Middleware",
    "Ok",
    "Override",
    "RecipeUserId",
    "Reply",
    "RequestContext",
    "SecurityEvent",
    "SuperTokens",
    "SuperTokensError",
    "ThirdPartyInfo",
    "UnknownMapping",
    "UnknownSuperTokensUserId",
    "User",
    "UserIdMapping",
    "UserIdMappingAlreadyExists",
    "UserPage",
    "__version__",
    "answer_error",
    "convert_to_recipe_user_id",
    "create_user_id_mapping",
    "delete_user",
    "delete_user_id_mapping",
    "get_active_user_count",
    "get_all_cors_expose_headers",
    "get_all_cors_headers",
    "get_request_from_user_context",
    "get_user",
    "get_user_count",
    "get_user_id_mapping",
    "get_users_newest_first",
    "get_users_oldest_first",
    "init",
    "is_recipe_initialized",
    "like",
    "list_users_by_account_info",
    "open_user_context",
    "replace",
    "update_or_delete_user_id_mapping_info",
    "user_context",
]

__version__ = "0.1.0"
