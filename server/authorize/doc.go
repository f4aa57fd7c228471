// Package authorize checks authorization requests and leads them through login and consent to a code.
//
// An unfinished request travels sealed through the browser; nothing is stored for it (docs/decisions/0007).
package authorize
