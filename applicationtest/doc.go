// Package applicationtest has finished applications log in, refresh and log out with the real binary, in the settings that
// docs/applications.md names. `make test-applications` runs it; nothing is skipped, so whatever is missing here is a failure.
//
// It is a module of its own, so that the applications stay out of the server's dependencies. oauth2-proxy and
// kube-apiserver's authenticator are modules apart again: each is built with the versions that its release has.
package applicationtest
