// Who is the user? Verifies the access tokens of an auth server with its public keys. Needs Go 1.19 and no module.

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	fresh   = 15 * time.Minute // After this time the keys are fetched again,
	stale   = 24 * time.Hour   // and for this time they are used while the auth server cannot be reached.
	window  = 20 * time.Second // In this time there are at most two fetches,
	timeout = 3 * time.Second  // each of which may take this long.
	largest = 512 * 1024       // Bytes of a key set.
	skew    = 60               // Seconds that the clock of the auth server may be ahead.
)

var (
	bearer = regexp.MustCompile(`(?i)^Bearer[ \t]+(\S+)[ \t]*$`)
	keyID  = regexp.MustCompile(`^[ds]-[A-Za-z0-9-]{1,128}$`)
	texts  = []string{"sub", "rsub", "tId", "sessionHandle", "refreshTokenHash1"}
	now    = time.Now // The clock of the keys.
)

// Object is an object of JSON. Its numbers are of the type json.Number. A struct would not do for tokens: encoding/json
// ignores the case of its names.
type Object = map[string]any

// Refusal is the response to a request that may not go on.
type Refusal struct {
	Status int
	Body   Object
}

func (refusal *Refusal) Error() string {
	return fmt.Sprint(refusal.Body["message"])
}

func refuse(status int, message string) *Refusal {
	return &Refusal{status, Object{"message": message}}
}

var (
	errNoSession   = refuse(http.StatusUnauthorized, "unauthorised")
	errTryRefresh  = refuse(http.StatusUnauthorized, "try refresh token")
	errForbidden   = refuse(http.StatusForbidden, "forbidden")
	errUnavailable = refuse(http.StatusServiceUnavailable, "service unavailable")
)

// Keys are the public keys of the auth server. Old keys stay in use while new ones cannot be fetched.
type Keys struct {
	url    string
	client *http.Client

	mutex     sync.Mutex // of what follows
	keys      map[string]*rsa.PublicKey
	fetched   time.Time
	tries     [2]time.Time
	reachable bool
	renewal   chan struct{} // Closed when the fetch that runs has ended.
}

// NewKeys returns the keys at an address. They are fetched when the first token needs them.
func NewKeys(address string) (*Keys, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
		return nil, errors.New("the address must begin with https or http")
	}
	client := &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return &Keys{url: address, client: client}, nil
}

// Find returns the key with this id, or nil. The error is a Refusal if that cannot be known now.
func (keys *Keys) Find(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	keys.mutex.Lock()
	defer keys.mutex.Unlock()
	age := now().Sub(keys.fetched)
	if age > stale || keys.keys[kid] == nil {
		if renewal := keys.renew(); renewal != nil {
			keys.mutex.Unlock()
			select {
			case <-renewal:
			case <-ctx.Done(): // The client has gone.
			}
			keys.mutex.Lock()
		}
	} else if age > fresh {
		keys.renew() // This request does not wait for the fetch.
	}
	key := keys.keys[kid]
	if now().Sub(keys.fetched) > stale || (key == nil && !keys.reachable) {
		return nil, errUnavailable
	}
	return key, nil
}

// renew returns a channel that is closed after the fetch, which may be that of another request. It is nil if there is
// none. The caller holds the mutex.
func (keys *Keys) renew() <-chan struct{} {
	if keys.renewal == nil {
		if now().Sub(keys.tries[0]) < window {
			return nil
		}
		keys.tries = [2]time.Time{keys.tries[1], now()}
		keys.renewal = make(chan struct{})
		go keys.load(keys.renewal)
	}
	return keys.renewal
}

func (keys *Keys) load(renewal chan struct{}) {
	loaded, err := keys.fetch()
	keys.mutex.Lock()
	defer keys.mutex.Unlock()
	keys.reachable = err == nil
	if err == nil {
		keys.keys, keys.fetched = loaded, now()
	} else {
		log.Printf("%s gave no keys: %v", keys.url, err)
	}
	keys.renewal = nil
	close(renewal)
}

func (keys *Keys) fetch() (map[string]*rsa.PublicKey, error) {
	response, err := keys.client.Get(keys.url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	if err != nil {
		return nil, err
	}
	if len(body) > largest {
		return nil, errors.New("too large")
	}
	document, err := decode(body)
	if err != nil {
		return nil, err
	}
	loaded := map[string]*rsa.PublicKey{}
	entries, _ := document["keys"].([]any)
	for _, entry := range entries {
		members, _ := entry.(Object)
		if key := publicKey(members); key != nil {
			loaded[members["kid"].(string)] = key
		}
	}
	if len(loaded) == 0 {
		return nil, errors.New("no usable key")
	}
	return loaded, nil
}

// publicKey returns nil for a key that is of no use here.
func publicKey(key Object) *rsa.PublicKey {
	kid, _ := key["kid"].(string)
	modulus, _ := key["n"].(string)
	isOurs := key["kty"] == "RSA" && key["alg"] == "RS256" && key["use"] == "sig" && key["e"] == "AQAB"
	decoded, ok := decodeBase64(modulus)
	number := new(big.Int).SetBytes(decoded)
	if kid == "" || !isOurs || !ok || number.BitLen() < 2048 {
		return nil
	}
	return &rsa.PublicKey{N: number, E: 65537}
}

// Sessions knows the user of a request.
type Sessions struct {
	keys    *Keys
	issuer  string
	origins []string
	tenants []string
}

// NewSessions takes the API domain and base path of the auth server, such as https://shop.example/auth, the origins of
// the websites whose pages may send changes with cookies, and the tenants that are served here.
func NewSessions(keys *Keys, issuer string, origins, tenants []string) (*Sessions, error) {
	if keys == nil || issuer == "" || len(origins) == 0 || contains(origins, "") || len(tenants) == 0 {
		return nil, errors.New("keys, issuer, origins and tenants are needed")
	}
	return &Sessions{keys, issuer, origins, tenants}, nil
}

// Of returns the claims of the session of a request. The error is a Refusal.
func (sessions *Sessions) Of(request *http.Request) (Object, error) {
	cookies := strings.Join(request.Header["Cookie"], ";") // With HTTP/2 there can be several of this header.
	if len(cookieValues(cookies, "sIdRefreshToken")) > 0 {
		return nil, errTryRefresh
	}
	var parsed *token
	if found := bearer.FindStringSubmatch(request.Header.Get("Authorization")); found != nil {
		parsed = parse(found[1])
	}
	inHeader := parsed != nil
	if !inHeader {
		values := cookieValues(cookies, "sAccessToken")
		if len(values) > 1 {
			return nil, errTryRefresh // Another host of this domain may have set one of them.
		}
		if len(values) == 1 {
			parsed = parse(values[0])
		}
	}
	if parsed == nil {
		return nil, errNoSession
	}
	claims := parsed.claims
	if err := sessions.checkClaims(claims); err != nil {
		return nil, err
	}
	key, err := sessions.keys.Find(request.Context(), parsed.kid)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(parsed.signed))
	if key == nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], parsed.signature) != nil {
		return nil, errTryRefresh
	}
	isChange := request.Method != http.MethodGet && request.Method != http.MethodHead
	if !inHeader && isChange && !sessions.isOurs(request.Header, claims["antiCsrfToken"]) {
		return nil, errTryRefresh
	}
	if !contains(sessions.tenants, claims["tId"].(string)) {
		return nil, errForbidden
	}
	return claims, nil
}

// checkClaims comes before the signature, so that an expired token fetches no keys.
func (sessions *Sessions) checkClaims(claims Object) error {
	if _, found := claims["aud"]; found || claims["iss"] != sessions.issuer {
		return errNoSession
	}
	for _, name := range texts {
		if text, _ := claims[name].(string); text == "" {
			return errNoSession
		}
	}
	// A missing number is read as 0. That is right for stt and nbf, but a token must have iat and exp.
	_, hasExpiry := claims["exp"]
	_, hasTime := claims["iat"]
	kind, isKind := whole(claims, "stt")
	exp, isExpiry := whole(claims, "exp")
	iat, isTime := whole(claims, "iat")
	nbf, isBegin := whole(claims, "nbf")
	if !hasExpiry || !hasTime || !isKind || !isExpiry || !isTime || !isBegin || kind != 0 {
		return errNoSession
	}
	seconds := time.Now().Unix()
	if exp <= seconds || iat > seconds+skew || nbf > seconds+skew {
		return errTryRefresh
	}
	return nil
}

// isOurs reports whether one of our pages has sent a request. Browsers send cookies with requests of other websites,
// too.
func (sessions *Sessions) isOurs(headers http.Header, antiCsrfToken any) bool {
	if antiCsrfToken == nil {
		return headers.Get("rid") != "" || contains(sessions.origins, headers.Get("Origin"))
	}
	expected, _ := antiCsrfToken.(string)
	return expected != "" && subtle.ConstantTimeCompare([]byte(headers.Get("anti-csrf")), []byte(expected)) == 1
}

// RequireRole returns a Refusal if the user has not got this role.
func RequireRole(claims Object, role string) error {
	claim, _ := claims["st-role"].(Object)
	entries, areTexts := claim["v"].([]any)
	for _, entry := range entries {
		_, isText := entry.(string)
		areTexts = areTexts && isText
	}
	message := "value does not exist"
	if areTexts {
		for _, entry := range entries {
			if entry == role {
				return nil
			}
		}
		message = "wrong value"
	}
	reason := Object{"message": message, "expectedToInclude": role}
	failed := []Object{{"id": "st-role", "reason": reason}}
	return &Refusal{http.StatusForbidden, Object{"message": "invalid claim", "claimValidationErrors": failed}}
}

type token struct {
	kid       string
	claims    Object
	signed    string
	signature []byte
}

// parse returns the parts of a text that has the form of a session token, or nil.
func parse(text string) *token {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(parts[0]) > 1024 || len(parts[1]) > 16384 || len(parts[2]) < 342 || len(parts[2]) > 1366 {
		return nil
	}
	var decoded [3][]byte
	for i, part := range parts {
		var ok bool
		if decoded[i], ok = decodeBase64(part); !ok {
			return nil
		}
	}
	header, err := decode(decoded[0])
	if err != nil || len(header) != 4 || header["alg"] != "RS256" || header["typ"] != "JWT" || header["version"] != "5" {
		return nil
	}
	kid, _ := header["kid"].(string)
	claims, err := decode(decoded[1])
	if err != nil || !keyID.MatchString(kid) {
		return nil
	}
	return &token{kid, claims, parts[0] + "." + parts[1], decoded[2]}
}

// decode reads exactly one object of JSON. encoding/json alone would take the last of two members with the same name.
func decode(text []byte) (Object, error) {
	if !json.Valid(text) || !utf8.Valid(text) {
		return nil, errors.New("no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // A float64 would not tell 1.0 from 1.
	value, err := read(decoder, 32)
	object, isObject := value.(Object)
	if err == nil && !isObject {
		err = errors.New("no object")
	}
	return object, err
}

// read returns the next value of valid JSON that has at most this depth.
func read(decoder *json.Decoder, depth int) (any, error) {
	next, err := decoder.Token()
	if err != nil || (next != json.Delim('{') && next != json.Delim('[')) {
		return next, err
	}
	if depth == 0 {
		return nil, errors.New("too deep")
	}
	object, list := Object{}, []any{}
	for decoder.More() {
		var name any
		if next == json.Delim('{') {
			if name, err = decoder.Token(); err != nil {
				return nil, err
			}
		}
		value, err := read(decoder, depth-1)
		if err != nil {
			return nil, err
		}
		if text, isMember := name.(string); isMember {
			if _, found := object[text]; found {
				return nil, errors.New("two members with the same name")
			}
			object[text] = value
		} else {
			list = append(list, value)
		}
	}
	if _, err := decoder.Token(); err != nil { // the end of the object or list
		return nil, err
	}
	if next == json.Delim('{') {
		return object, nil
	}
	return list, nil
}

// decodeBase64 decodes canonical base64url.
func decodeBase64(text string) ([]byte, bool) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	return decoded, err == nil && base64.RawURLEncoding.EncodeToString(decoded) == text
}

// whole returns a whole number, or 0 if it is missing. It is false for anything else.
func whole(claims Object, name string) (int64, bool) {
	value, found := claims[name]
	if !found {
		return 0, true
	}
	number, _ := value.(json.Number)
	result, err := strconv.ParseInt(number.String(), 10, 64)
	return result, err == nil
}

// cookieValues returns all values of a cookie. Request.Cookie hides the second one.
func cookieValues(header, name string) []string {
	var values []string
	for _, pair := range strings.Split(header, ";") {
		if pair = strings.TrimSpace(pair); strings.HasPrefix(pair, name+"=") {
			values = append(values, pair[len(name)+1:])
		}
	}
	return values
}

func contains(texts []string, text string) bool {
	for _, each := range texts {
		if each == text {
			return true
		}
	}
	return false
}
