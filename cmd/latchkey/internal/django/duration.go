package django

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"latchkey/clients"
)

var (
	errNotDuration  = errors.New("is not a duration")
	errLongDuration = errors.New("is longer than a hundred years")
)

var (
	// isoDuration is ISO 8601's without years and months, which have no fixed length.
	isoDuration = regexp.MustCompile(`^(-?)P(?:([0-9.]+)W)?(?:([0-9.]+)D)?(?:T(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?)?$`)
	// clockDuration is Python's str(timedelta) and what Django REST framework writes: 7 days, 0:00:00 and 7 00:00:00.
	clockDuration = regexp.MustCompile(`^(?:(-?[0-9]+)(?: days?,?)? )?(-?)([0-9]+):([0-5]?[0-9]):([0-5]?[0-9](?:\.[0-9]+)?)$`)
	daysAlone     = regexp.MustCompile(`^(-?[0-9]+) days?$`)
)

// parseDuration reads a timedelta in any form that it has in JSON: seconds, ISO 8601, Python's own, Django REST
// framework's. It is exact to the microsecond, like timedelta, and may be negative. H:MM:SS needs all three:
// 15:00 could be minutes or hours.
func parseDuration(text string) (time.Duration, error) {
	if found := isoDuration.FindStringSubmatch(text); found != nil && !strings.HasSuffix(text, "P") && !strings.HasSuffix(text, "T") {
		return seconds(found[1], found[2:], 7*24*3600, 24*3600, 3600, 60, 1)
	}
	if found := clockDuration.FindStringSubmatch(text); found != nil {
		days, err := seconds("", found[1:2], 24*3600)
		if err != nil {
			return 0, err
		}
		clock, err := seconds(found[2], found[3:], 3600, 60, 1)
		if err != nil {
			return 0, err
		}
		return bounded((days + clock).Seconds())
	}
	if found := daysAlone.FindStringSubmatch(text); found != nil {
		return seconds("", found[1:], 24*3600)
	}
	if text == "" || strings.Trim(text, "0123456789.eE+-") != "" { // ParseFloat also reads hexadecimal, infinities, NaN
		return 0, errNotDuration
	}
	return seconds("", []string{text}, 1)
}

// seconds returns the sum of the numbers, each multiplied by its worth in seconds; missing ones are empty.
func seconds(sign string, numbers []string, worth ...float64) (time.Duration, error) {
	sum := 0.0
	for i, number := range numbers {
		if number == "" {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, errNotDuration
		}
		sum += n * worth[i]
	}
	if sign == "-" {
		sum = -sum
	}
	return bounded(sum)
}

// bounded refuses what clients.ParseDuration can't read. A float64 holds the microseconds of a hundred years exactly.
func bounded(seconds float64) (time.Duration, error) {
	if math.Abs(seconds) > clients.MaxDuration.Std().Seconds() {
		return 0, errLongDuration
	}
	return time.Duration(math.Round(seconds*1e6)) * time.Microsecond, nil
}
