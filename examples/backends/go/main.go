// An API without a framework: go run .
package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	sessions, err := newSessions()
	if err != nil {
		log.Fatalf("KEYS_URL, ISSUER or WEBSITE is missing or wrong: %v", err)
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3001"
	}
	server := &http.Server{
		Addr:              "127.0.0.1:" + port,
		Handler:           api{sessions, os.Getenv("WEBSITE")},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

func newSessions() (*Sessions, error) {
	keys, err := NewKeys(os.Getenv("KEYS_URL"))
	if err != nil {
		return nil, err
	}
	return NewSessions(keys, os.Getenv("ISSUER"), []string{os.Getenv("WEBSITE")}, []string{"public"})
}

type api struct {
	sessions *Sessions
	website  string
}

var routes = map[string]func(claims Object) (Object, error){
	"GET /api/me":     func(claims Object) (Object, error) { return Object{"userId": claims["sub"]}, nil },
	"POST /api/notes": func(claims Object) (Object, error) { return Object{"savedFor": claims["sub"]}, nil },
	"GET /api/admin": func(claims Object) (Object, error) {
		if err := RequireRole(claims, "admin"); err != nil {
			return nil, err
		}
		return Object{"admin": claims["sub"]}, nil
	},
}

func (api api) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	headers := writer.Header()
	if request.Header.Get("Origin") == api.website {
		// A page of another origin can read a response only with these headers. Refusals need them, too.
		headers.Set("Access-Control-Allow-Origin", api.website)
		headers.Set("Access-Control-Allow-Credentials", "true")
		headers.Set("Access-Control-Allow-Methods", "GET, POST")
		headers.Set("Access-Control-Allow-Headers",
			"content-type, authorization, rid, fdi-version, anti-csrf, st-auth-mode")
		headers.Set("Access-Control-Max-Age", "600")
		headers.Set("Vary", "Origin")
	}
	if request.Method == http.MethodOptions {
		writer.WriteHeader(http.StatusNoContent)
		return
	}
	status, body := api.respond(request)
	if status == http.StatusServiceUnavailable {
		headers.Set("Retry-After", "10")
	}
	headers.Set("Content-Type", "application/json")
	headers.Set("Cache-Control", "no-store")
	writer.WriteHeader(status)
	if err := json.NewEncoder(writer).Encode(body); err != nil {
		log.Print(err)
	}
}

func (api api) respond(request *http.Request) (int, Object) {
	route, found := routes[request.Method+" "+request.URL.Path]
	if !found {
		return http.StatusNotFound, Object{"message": "not found"}
	}
	claims, err := api.sessions.Of(request)
	if err == nil {
		var body Object
		if body, err = route(claims); err == nil {
			return http.StatusOK, body
		}
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Status, refusal.Body
	}
	log.Print(err)
	return http.StatusInternalServerError, Object{"message": "internal error"}
}
