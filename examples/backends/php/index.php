<?php
// A website: nginx passes it every path that is no file.

declare(strict_types=1);

require __DIR__ . '/sessions.php';

try {
    $keys = new Keys($_SERVER['KEYS_URL'] ?? '', $_SERVER['KEYS_FOLDER'] ?? '');
    $sessions = new Sessions($keys, $_SERVER['ISSUER'] ?? '', [$_SERVER['WEBSITE'] ?? '']);
    $path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    match ("{$_SERVER['REQUEST_METHOD']} $path") {
        'GET /' => page('<p>Welcome. <a href="/orders">Your orders</a></p>'),
        'GET /orders' => page(orders($sessions->current())),
        'POST /orders' => page(ordered($sessions->current())),
        'GET /me' => json(200, ['userId' => $sessions->current()['sub']]),
        'POST /notes' => json(200, ['savedFor' => $sessions->current()['sub']]),
        'GET /admin' => json(200, ['admin' => administrator($sessions->current())]),
        default => json(404, ['message' => 'not found']),
    };
} catch (Refusal $refusal) {
    refuse($refusal);
} catch (Throwable $error) {
    error_log("{$error->getMessage()} in {$error->getFile()}:{$error->getLine()}");
    json(500, ['message' => 'internal error']);
}

/** @param array<string, mixed> $claims */
function administrator(array $claims): string
{
    Sessions::requireRole($claims, 'admin');
    return $claims['sub'];
}

/** @param array<string, mixed> $claims */
function orders(array $claims): string
{
    $user = htmlspecialchars($claims['sub']);
    return "<p>The orders of <b>$user</b></p>"
        . '<form method=post><input name=what value=tea><button>Order</button></form>'
        . '<p><a href="/auth/sign-out">Sign out</a></p>';
}

/** @param array<string, mixed> $claims */
function ordered(array $claims): string
{
    $what = is_string($_POST['what'] ?? null) ? $_POST['what'] : 'nothing';
    return '<p>Ordered ' . htmlspecialchars($what) . ' for ' . htmlspecialchars($claims['sub']) . '</p>';
}

function page(string $body): void
{
    header('Content-Type: text/html; charset=utf-8');
    header('Cache-Control: no-store');
    echo "<!doctype html><html lang=en><title>Shop</title>$body</html>";
}

/** @param array<string, mixed> $body */
function json(int $status, array $body): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    echo json_encode($body, JSON_THROW_ON_ERROR);
}

function refuse(Refusal $refusal): void
{
    $isExpired = $refusal->body['message'] === 'try refresh token';
    $isPage = $_SERVER['REQUEST_METHOD'] === 'GET';
    $isForm = $_SERVER['REQUEST_METHOD'] === 'POST' && ($_SERVER['HTTP_ORIGIN'] ?? '') === $_SERVER['WEBSITE'];
    $isBrowser = str_contains($_SERVER['HTTP_ACCEPT'] ?? '', 'text/html') && !isset($_SERVER['HTTP_AUTHORIZATION']);
    if ($refusal->status === 401 && $isBrowser && ($isPage || ($isForm && $isExpired)) && isset($_SERVER['SIGN_IN'])) {
        // The pages of the auth server ask the user to sign in, or renew the session, and lead back. Forms are kept.
        $page = $_SERVER['SIGN_IN'] . ($isExpired ? '/session/refresh' : '') . ($isForm ? '/form' : '');
        $address = $page . '?redirectToPath=' . rawurlencode($_SERVER['REQUEST_URI']);
        header("Location: $address", true, $isForm ? 307 : 303);
        header('Cache-Control: no-store');
        return;
    }
    if ($refusal->status === 503) {
        header('Retry-After: 10');
    }
    json($refusal->status, $refusal->body);
}
