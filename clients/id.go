package clients

import (
	"regexp"
	"strings"
)

// ValidID reports whether text can be a client_id (RFC 6749 §A.1) of a length that is stored. The URL of a metadata document
// may be longer than others.
func ValidID(id string) bool {
	longest := 255
	if IsDocumentID(id) {
		longest = maxURI
	}
	return id != "" && len(id) <= longest && !strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c > '~' })
}

const subjectPrefix = "client:"

// looksLikeUser reports whether a client_id has the form that subjects of users have: an integer, or a UUID.
var looksLikeUser = regexp.MustCompile(`^(?:[0-9]+|(?i:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}))$`).MatchString

// CheckNewID checks a client_id that an operator chooses. The error is a *MetadataError.
func CheckNewID(id string) error {
	switch {
	case !ValidID(id):
		return Invalid("client_id", "it must have 1 to 255 printable ASCII characters")
	case id == "." || id == "..": // RFC 3986 §5.2.4: whatever sends a URL takes them out of its path, encoded or not
		return Invalid("client_id", "no URL of the API for operators could name it: add a letter or a word")
	case strings.HasPrefix(id, subjectPrefix):
		return Invalid("client_id", "it must not begin with %s, which is kept for the subjects of clients", subjectPrefix)
	case looksLikeUser(id):
		return Invalid("client_id", "%q could be the subject of a user, and APIs could take the client for that user: add a letter or a word", id)
	}
	return nil
}
