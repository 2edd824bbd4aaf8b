"""SuperTokens in front of any WSGI app, synchronously: *ours? answer. Not ours? get out of the way.*"""

from __future__ import annotations

from .accounts import (
    AccountInfo as AccountInfo,
    UserPage as UserPage,
    delete_user as delete_user,
    get_active_user_count as get_active_user_count,
    get_user as get_user,
    get_user_count as get_user_count,
    get_users_newest_first as get_users_newest_first,
    get_users_oldest_first as get_users_oldest_first,
    list_users_by_account_info as list_users_by_account_info,
)
from .app import SuperTokens as SuperTokens, init as init
from .attempts import AttemptStore as AttemptStore, MemoryAttempts as MemoryAttempts
from .config import AppInfo as AppInfo, Cors as Cors
from .core_client.replies import Reply as Reply
from .errors import SuperTokensError as SuperTokensError
from .events import SecurityEvent as SecurityEvent
from .limits import AttemptLimits as AttemptLimits
from .mappings import (
    UnknownMapping as UnknownMapping,
    UnknownSuperTokensUserId as UnknownSuperTokensUserId,
    UserIdMapping as UserIdMapping,
    UserIdMappingAlreadyExists as UserIdMappingAlreadyExists,
    create_user_id_mapping as create_user_id_mapping,
    delete_user_id_mapping as delete_user_id_mapping,
    get_user_id_mapping as get_user_id_mapping,
    update_or_delete_user_id_mapping_info as update_or_delete_user_id_mapping_info,
)
from .recipe_kit.override import Override as Override, like as like, replace as replace
from .recipe_kit.results import GeneralError as GeneralError, Ok as Ok
from .request.context import RequestContext as RequestContext
from .request.cors import (
    get_all_cors_expose_headers as get_all_cors_expose_headers,
    get_all_cors_headers as get_all_cors_headers,
)
from .request.current import (
    answer_error as answer_error,
    get_request_from_user_context as get_request_from_user_context,
    is_recipe_initialized as is_recipe_initialized,
    open_user_context as open_user_context,
    user_context as user_context,
)
from .request.middleware import ErrorHandler as ErrorHandler, Middleware as Middleware
from .users import (
    LoginMethod as LoginMethod,
    RecipeUserId as RecipeUserId,
    ThirdPartyInfo as ThirdPartyInfo,
    User as User,
    convert_to_recipe_user_id as convert_to_recipe_user_id,
)

__version__ = "0.1.0"
