// Package bearer reads access tokens from the headers of requests, of the schemes Bearer and DPoP, and challenges requests whose token is
// missing or refused.
package bearer
