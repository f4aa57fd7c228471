package config

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/clients"
)

// to returns the set of an option that parses its text into a value.
func to[T any](into *T, parse func(*T, string) error) func(string) error {
	return func(text string) error { return parse(into, text) }
}

// choice returns the set of an option that has one of several values.
func choice[T ~string](into *T, choices ...T) func(string) error {
	return func(text string) error {
		if !slices.Contains(choices, T(text)) {
			return &invalid{"is not one of the choices", fmt.Sprintf("Use %s.", alternatives(choices))}
		}
		*into = T(text)
		return nil
	}
}

// either returns the set of an option that has one of two values; into is whether it has the second one.
func either(into *bool, off, on string) func(string) error {
	return func(text string) error {
		var word string
		err := choice(&word, off, on)(text)
		*into = word == on
		return err
	}
}

// alternatives returns the choices as "a, b or c".
func alternatives[T ~string](choices []T) string {
	text := string(choices[0])
	for i, c := range choices[1:] {
		separator := ", "
		if i == len(choices)-2 {
			separator = " or "
		}
		text += separator + string(c)
	}
	return text
}

// members passes each member of a list to take, and returns an error that names those for which it returns false.
func members(text string, take func(one string) bool, problem, mend string) error {
	var odd []string
	for _, one := range lines(text) {
		if !take(one) {
			odd = append(odd, fmt.Sprintf("%q %s", one, problem))
		}
	}
	if len(odd) == 0 {
		return nil
	}
	return &invalid{"has invalid values: " + strings.Join(odd, ", "), mend}
}

// setChosen accepts some of several values. None of them is an empty list, which is not the default of each option.
func setChosen(into *[]string, text string, choices []string, problem, remedy string) error {
	*into = []string{}
	return members(text, func(one string) bool {
		if !slices.Contains(*into, one) {
			*into = append(*into, one)
		}
		return slices.Contains(choices, one)
	}, problem, remedy)
}

// parseEach parses each member of a list, in which no two may be the same.
func parseEach[T any](into *[]T, text string, parse func(string) (T, error), same func(a, b T) bool, remedy string) error {
	const most = 100
	*into = nil
	var odd []string
	list := lines(text)
	for _, one := range list {
		v, err := parse(one)
		if err != nil {
			odd = append(odd, err.Error())
			continue
		}
		if slices.ContainsFunc(*into, func(other T) bool { return same(other, v) }) {
			odd = append(odd, strings.TrimSpace(one)+" is there twice")
		}
		*into = append(*into, v)
	}
	switch {
	case len(list) > most:
		return &invalid{"has more than 100 entries", "Keep what applications need: all of it goes into headers."}
	case len(odd) > 0:
		return &invalid{"has invalid entries: " + strings.Join(odd, "; "), remedy}
	}
	return nil
}

// lines splits the text of a list option, which joined has made.
func lines(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			found = append(found, line)
		}
	}
	return found
}

func setText[T ~string](into *T, text string) error {
	*into = T(text)
	return nil
}

func setTexts(into *[]string, text string) error {
	*into = lines(text)
	return nil
}

// setSwitch accepts true and false too, which are common in YAML.
func setSwitch(into *bool, text string) error {
	switch text {
	case "on", "true":
		*into = true
	case "off", "false":
		*into = false
	default:
		return &invalid{"is neither on nor off", "Use on or off."}
	}
	return nil
}

func setLevel(into *slog.Level, text string) error {
	switch text {
	case "debug", "info", "warn", "error":
		return into.UnmarshalText([]byte(text))
	}
	return &invalid{"is not a log level", "Use debug, info, warn or error."}
}

// DurationRemedy describes the format of durations.
const DurationRemedy = "Write it like 90s, 15m, 12h or 30d."

// setLifetime accepts durations of a second and more.
func setLifetime(into *time.Duration, text string) error {
	return setAtLeast(into, text, time.Second, "is shorter than a second")
}

// setWait accepts zero as well.
func setWait(into *time.Duration, text string) error {
	return setAtLeast(into, text, 0, "is below zero")
}

// setDelay accepts up to an hour.
func setDelay(into *time.Duration, text string) error {
	return setAtMost(into, text, setWait, time.Hour, "is longer than an hour")
}

func setAtMost(into *time.Duration, text string, set func(*time.Duration, string) error, most time.Duration, problem string) error {
	var d time.Duration
	if err := set(&d, text); err != nil {
		return err
	}
	if d > most {
		return &invalid{problem, "Choose a shorter one."}
	}
	*into = d
	return nil
}

func setAtLeast(into *time.Duration, text string, least time.Duration, problem string) error {
	d, err := clients.ParseDuration(text)
	switch {
	case err != nil:
		return &invalid{"is not a duration", DurationRemedy}
	case d.Std() < least:
		return &invalid{problem, DurationRemedy}
	}
	*into = d.Std()
	return nil
}

func setOptionalWait(into **time.Duration, text string) error {
	var d time.Duration
	if err := setWait(&d, text); err != nil {
		return err
	}
	*into = &d
	return nil
}

// setCount accepts positive numbers.
func setCount(into *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 10_000_000 {
		return &invalid{"is not a number from 1 to 10000000", "Write it in digits, like 10000."}
	}
	*into = n
	return nil
}

// setMoment accepts a time, or a date for its beginning in UTC.
func setMoment(into *time.Time, text string) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			*into = t.UTC()
			return nil
		}
	}
	return &invalid{"is neither a date nor a time", "Write it like 2027-01-31 or 2027-01-31T06:00:00Z."}
}

// setFolder accepts existing directories only, so that a misspelt one is reported at the start.
func setFolder(into *string, text string) error {
	info, err := os.Stat(text)
	switch {
	case err != nil:
		return &invalid{"can't be read: " + err.Error(), "Name a directory that exists and that this user may read."}
	case !info.IsDir():
		return &invalid{"is not a directory", "Name the directory that contains the files."}
	}
	*into = text
	return nil
}
