//go:build !linux

package main

import "errors"

func unmapProgram() (int, error) { return 0, errors.ErrUnsupported }
