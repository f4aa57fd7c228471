// Package drf reads requests and writes answers exactly as Django REST framework does: negotiation, parsers, fields,
// errors, metadata.
//
// It implements what a view with a flat serializer of text fields needs, with JSON as the only rendering.
// The order of the checks is the framework's: negotiation (404, 406), method (405), parsing (415, 400), fields (400),
// then the view itself.
//
// The parsers are its own, because clients see what Django accepts and how it words its errors, as recorded in
// server/simplejwt/testdata: mime, mime/multipart and net/url refuse input that Django reads, and
// encoding/json knows neither Python's messages nor its numbers (see package pyjson). Every parser is linear in its input, headers are parsed once a request
// and refused beyond 10,000 bytes, and the route caps the body.
package drf
