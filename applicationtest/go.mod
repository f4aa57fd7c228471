module latchkey/applicationtest

go 1.26.0

require (
	github.com/coreos/go-oidc/v3 v3.21.0
	github.com/markbates/goth v1.82.0
	golang.org/x/net v0.61.0
	golang.org/x/oauth2 v0.37.0
	latchkey v0.0.0
)

require (
	github.com/go-chi/chi/v5 v5.2.2 // indirect
	github.com/go-jose/go-jose/v4 v4.1.8 // indirect
	github.com/gorilla/mux v1.8.1 // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/gorilla/sessions v1.4.0 // indirect
)

replace latchkey => ../
