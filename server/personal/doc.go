// Package personal gathers everything that is stored about a user, without anything that could be used in their place: no hash, no token,
// no cookie (GDPR, Articles 15 and 20).
package personal
