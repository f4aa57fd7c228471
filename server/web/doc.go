// Package web renders the pages that people see, in their language and in the operator's colours.
//
// It knows nothing of requests, sessions or storage: handlers give it a [View], and it makes HTML of it. It never sends the
// words of an internal error to a browser.
package web
