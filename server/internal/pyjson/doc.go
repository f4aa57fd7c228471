// Package pyjson reads and writes JSON exactly as the json module of Python 3.11 does, with its leniencies, its wording
// and its text form of numbers.
//
// Text is a Go string whose lone surrogates, which JSON escapes can name and Python keeps, are written as UTF-8 would
// write them if it could ("WTF-8"). Positions are counted in characters, as Python counts them.
//
// No library does: encoding/json and its successors read neither NaN, lone surrogates nor integers of any size as Python does, and clients of
// simplejwt see Python's error messages ("Expecting value: line 1 column 1 (char 0)"), as server/simplejwt/testdata records.
package pyjson
