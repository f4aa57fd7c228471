// Package drf reads requests and writes answers exactly as Django REST framework does: negotiation, parsers, fields,
// errors, metadata.
//
// It is as much of the framework as a view with a flat serializer of text fields needs, that renders JSON only.
// The order of the checks is the framework's: negotiation (404, 406), method (405), parsing (415, 400), fields (400),
// then the view itself.
package drf
