// Package shadow is a proxy in front of a Django site that issues its tokens with djangorestframework-simplejwt.
//
// Django answers. After its answer, the same request is given to a server whose writes have no effect (see storage/dryrun), and what that
// server would have answered is compared: status, error code, fields, claims, headers. Differences are counted by kind. Nothing
// that proves possession is kept: no token, no password, no body.
//
// A share of the users can be answered by this server in earnest; where it fails, Django is asked.
//
// An answer of Django's never waits for any of this: comparisons are made from a bounded queue, and what does not fit is dropped and
// counted.
package shadow
