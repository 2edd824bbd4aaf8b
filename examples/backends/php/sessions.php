<?php
// Who is the user? Verifies the access tokens of an auth server with its public keys. Needs PHP 8.2 with openssl.

declare(strict_types=1);

/** The response to a request that may not go on. */
final class Refusal extends Exception
{
    /** @param array<string, mixed> $body */
    public function __construct(public readonly int $status, public readonly array $body)
    {
        parent::__construct($body['message']);
    }

    public static function noSession(): self
    {
        return new self(401, ['message' => 'unauthorised']);
    }

    public static function tryRefresh(): self
    {
        return new self(401, ['message' => 'try refresh token']);
    }
}

/** The public keys of the auth server, in a file for all processes. Old keys stay in use while it cannot be reached. */
final class Keys
{
    private const FRESH = 900; // Seconds after which the keys are fetched again,
    private const STALE = 86400; // and for which they are used while the auth server cannot be reached.
    private const WINDOW = 20; // In this time there are at most two fetches,
    private const TIMEOUT = 3; // each of which may take this long.
    private const LARGEST = 512 * 1024; // Bytes of a key set.

    /** @var array{keys: array<string, string>, fetched: int, tries: array{int, int}, reachable: bool} */
    private array $state;

    /** @param string $folder to which only the user of PHP may write: who changes the keys can sign in as any user */
    public function __construct(private readonly string $url, private readonly string $folder)
    {
        if (!preg_match('#^https?://.#', $url) || $folder === '') {
            throw new InvalidArgumentException('a folder is needed, and the address must begin with https or http');
        }
        $this->read();
    }

    /** Return the key with this id as PEM, or null. Throws a Refusal if that cannot be known now. */
    public function find(string $kid): ?string
    {
        $age = time() - $this->state['fetched'];
        if ($age > self::FRESH || !isset($this->state['keys'][$kid])) {
            $this->renew($age < self::STALE);
        }
        $key = $this->state['keys'][$kid] ?? null;
        $isUsable = time() - $this->state['fetched'] < self::STALE;
        if (!$isUsable || ($key === null && !$this->state['reachable'])) {
            throw new Refusal(503, ['message' => 'service unavailable']);
        }
        return $key;
    }

    private function renew(bool $isUsable): void
    {
        $lock = fopen("$this->folder/lock", 'c');
        // One request fetches the keys. The others use the keys in the file, and wait only if there are none.
        if (!flock($lock, $isUsable ? LOCK_EX | LOCK_NB : LOCK_EX)) {
            return;
        }
        $tries = $this->state['tries'];
        $this->read();
        if ($this->state['tries'] !== $tries || time() - $tries[0] < self::WINDOW) {
            return;
        }
        $this->state['tries'] = [$tries[1], time()];
        try {
            $this->state['keys'] = $this->fetch();
            $this->state['fetched'] = time();
            $this->state['reachable'] = true;
        } catch (Throwable $error) {
            $this->state['reachable'] = false;
            error_log("$this->url gave no keys: {$error->getMessage()}");
        }
        $text = json_encode($this->state, JSON_THROW_ON_ERROR);
        if (file_put_contents("$this->folder/keys.new", $text) === strlen($text)) { // The disk may be full.
            rename("$this->folder/keys.new", "$this->folder/keys.json"); // Readers see the old file or the new one.
        }
    }

    private function read(): void
    {
        $nothing = ['keys' => [], 'fetched' => 0, 'tries' => [0, 0], 'reachable' => false];
        $file = "$this->folder/keys.json";
        $state = is_file($file) ? json_decode(file_get_contents($file), true, 8) : null;
        $this->state = is_array($state) ? $state : $nothing; // A file that was cut off is ignored.
    }

    /** @return array<string, string> */
    private function fetch(): array
    {
        $deadline = microtime(true) + self::TIMEOUT;
        $context = stream_context_create(['http' => ['timeout' => self::TIMEOUT, 'follow_location' => 0]]);
        $stream = @fopen($this->url, 'r', false, $context); // A failure is logged by renew().
        if ($stream === false || !preg_match('#^HTTP/\S+ 200 #', stream_get_meta_data($stream)['wrapper_data'][0])) {
            throw new RuntimeException('no answer with status 200');
        }
        for ($text = ''; !feof($stream); $text .= fread($stream, 65536)) {
            if (strlen($text) > self::LARGEST || microtime(true) > $deadline) {
                throw new RuntimeException('too large or too late');
            }
        }
        $document = json_decode($text, true, 8, JSON_THROW_ON_ERROR);
        $keys = [];
        foreach (array_filter((array) ($document['keys'] ?? []), 'is_array') as $key) {
            if (self::isUsable($key)) {
                $keys[$key['kid']] = self::pem($key['n']);
            }
        }
        return $keys ?: throw new RuntimeException('no usable key');
    }

    /** @param array<string, mixed> $key */
    private static function isUsable(array $key): bool
    {
        $fixed = ['kty' => 'RSA', 'alg' => 'RS256', 'use' => 'sig', 'e' => 'AQAB'];
        $isComplete = is_string($key['kid'] ?? null) && is_string($key['n'] ?? null);
        return $isComplete && array_intersect_key($key, $fixed) == $fixed && strlen($key['n']) >= 342;
    }

    /** The public key in the form that OpenSSL reads: SubjectPublicKeyInfo of RFC 5280, with the exponent 65537. */
    private static function pem(string $modulus): string
    {
        $part = static fn (string $tag, string $content): string => $tag . match (true) {
            strlen($content) < 128 => chr(strlen($content)),
            default => "\x82" . pack('n', strlen($content)),
        } . $content;
        $number = "\0" . ltrim(base64url($modulus) ?? '', "\0");
        $key = $part("\x30", $part("\x02", $number) . "\x02\x03\x01\x00\x01");
        $rsa = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        $info = $part("\x30", $rsa . $part("\x03", "\0" . $key));
        $lines = chunk_split(base64_encode($info), 64, "\n");
        return "-----BEGIN PUBLIC KEY-----\n$lines-----END PUBLIC KEY-----\n";
    }
}

final class Sessions
{
    private const SKEW = 60; // Seconds that the clock of the auth server may be ahead.
    private const TOKEN = '/^([A-Za-z0-9_-]{2,1024})\.([A-Za-z0-9_-]{2,16384})\.([A-Za-z0-9_-]{342,1366})$/D';
    private const KID = '/^[ds]-[A-Za-z0-9-]{1,128}$/D';
    private const TEXTS = ['sub', 'rsub', 'tId', 'sessionHandle', 'refreshTokenHash1'];

    /**
     * @param string $issuer API domain and base path of the auth server, such as https://shop.example/auth
     * @param list<string> $origins of the websites whose pages may send changes with cookies
     * @param list<string> $tenants that are served here
     */
    public function __construct(
        private readonly Keys $keys,
        private readonly string $issuer,
        private readonly array $origins,
        private readonly array $tenants = ['public'],
    ) {
        if ($issuer === '' || $origins === [] || in_array('', $origins, true)) {
            throw new InvalidArgumentException('issuer and origins are needed');
        }
    }

    /**
     * Return the claims of the session of this request. Throws a Refusal.
     *
     * @return array<string, mixed>
     */
    public function current(): array
    {
        $cookies = $_SERVER['HTTP_COOKIE'] ?? '';
        if (self::cookieValues($cookies, 'sIdRefreshToken') !== []) {
            throw Refusal::tryRefresh();
        }
        preg_match('/^Bearer[ \t]+(\S+)[ \t]*$/iD', $_SERVER['HTTP_AUTHORIZATION'] ?? '', $bearer);
        $token = self::parse($bearer[1] ?? '');
        $isCookie = $token === null;
        if ($isCookie) {
            $values = self::cookieValues($cookies, 'sAccessToken');
            if (count($values) > 1) {
                throw Refusal::tryRefresh(); // Another host of this domain may have set one of them.
            }
            $token = self::parse($values[0] ?? '') ?? throw Refusal::noSession();
        }
        [$kid, $claims, $signed, $signature] = $token;
        $this->checkClaims($claims);
        $key = $this->keys->find($kid);
        if ($key === null || openssl_verify($signed, $signature, $key, OPENSSL_ALGO_SHA256) !== 1) {
            throw Refusal::tryRefresh();
        }
        if ($isCookie && !in_array($_SERVER['REQUEST_METHOD'], ['GET', 'HEAD'], true)) {
            $this->checkSender($claims['antiCsrfToken'] ?? null);
        }
        if (!in_array($claims['tId'], $this->tenants, true)) {
            throw new Refusal(403, ['message' => 'forbidden']);
        }
        return $claims;
    }

    /**
     * Throws a Refusal if the user has not got this role.
     *
     * @param array<string, mixed> $claims
     */
    public static function requireRole(array $claims, string $role): void
    {
        $roles = $claims['st-role']['v'] ?? null;
        $areTexts = is_array($roles) && array_is_list($roles) && array_filter($roles, 'is_string') === $roles;
        if ($areTexts && in_array($role, $roles, true)) {
            return;
        }
        $message = $areTexts ? 'wrong value' : 'value does not exist';
        $errors = [['id' => 'st-role', 'reason' => ['message' => $message, 'expectedToInclude' => $role]]];
        throw new Refusal(403, ['message' => 'invalid claim', 'claimValidationErrors' => $errors]);
    }

    /**
     * Before the signature, so that an expired token fetches no keys.
     *
     * @param array<string, mixed> $claims
     */
    private function checkClaims(array $claims): void
    {
        $claims += ['stt' => 0, 'nbf' => 0];
        $isSession = $claims['stt'] === 0 && ($claims['iss'] ?? null) === $this->issuer;
        foreach (self::TEXTS as $name) {
            $isSession = $isSession && is_string($claims[$name] ?? null) && $claims[$name] !== '';
        }
        $times = [$claims['iat'] ?? null, $claims['exp'] ?? null, $claims['nbf']];
        if (!$isSession || array_filter($times, 'is_int') !== $times || array_key_exists('aud', $claims)) {
            throw Refusal::noSession();
        }
        if ($claims['exp'] <= time() || max($claims['iat'], $claims['nbf']) > time() + self::SKEW) {
            throw Refusal::tryRefresh();
        }
    }

    /** Browsers send cookies with requests of other websites, too. */
    private function checkSender(mixed $antiCsrfToken): void
    {
        $isOurs = is_string($antiCsrfToken)
            ? $antiCsrfToken !== '' && hash_equals($antiCsrfToken, $_SERVER['HTTP_ANTI_CSRF'] ?? '')
            : ($_SERVER['HTTP_RID'] ?? '') !== '' || in_array($_SERVER['HTTP_ORIGIN'] ?? '', $this->origins, true);
        if (!$isOurs) {
            throw Refusal::tryRefresh();
        }
    }

    /**
     * Return the parts of a text that has the form of a session token, or null.
     *
     * @return ?array{string, array<string, mixed>, string, string}
     */
    private static function parse(string $text): ?array
    {
        if (!preg_match(self::TOKEN, $text, $parts)) {
            return null;
        }
        [$header, $claims, $signature] = array_map('base64url', array_slice($parts, 1));
        if ($header === null || $claims === null || $signature === null) {
            return null;
        }
        $header = json_decode($header, true, 32);
        $claims = json_decode($claims, true, 32);
        if (!is_array($header) || !is_array($claims) || !is_string($header['kid'] ?? null)) {
            return null;
        }
        if (!preg_match(self::KID, $header['kid'])) {
            return null;
        }
        ksort($header);
        if ($header !== ['alg' => 'RS256', 'kid' => $header['kid'], 'typ' => 'JWT', 'version' => '5']) {
            return null;
        }
        return [$header['kid'], $claims, "$parts[1].$parts[2]", $signature];
    }

    /**
     * Return all values of a cookie. $_COOKIE hides the second one.
     *
     * @return list<string>
     */
    private static function cookieValues(string $header, string $name): array
    {
        $values = [];
        foreach (explode(';', $header) as $pair) {
            if (str_starts_with(trim($pair), "$name=")) {
                $values[] = substr(trim($pair), strlen($name) + 1);
            }
        }
        return $values;
    }
}

/** Decode base64url; null for a text that is not canonical. */
function base64url(string $text): ?string
{
    $bytes = base64_decode(strtr($text, '-_', '+/'), true);
    $isExact = $bytes !== false && rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=') === $text;
    return $isExact ? $bytes : null;
}
