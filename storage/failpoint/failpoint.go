package failpoint

// Moment is when, with regard to an operation.
type Moment string

// The moments of an operation.
const (
	Before Moment = "before" // nothing is written
	Within Moment = "within" // before each statement of a transaction
	After  Moment = "after"  // all is committed, and the caller does not know
)

// onPass is called at each point; answer is the http.ResponseWriter of an answer that was sent, else nil.
var onPass func(point string, answer any)

// OnPass sets what happens when a point is passed. It is called before the program begins, by tests.
func OnPass(pass func(point string, answer any)) { onPass = pass }

// Hit passes a moment of an operation.
func Hit(operation string, m Moment) {
	if onPass != nil {
		onPass(operation+"/"+string(m), nil)
	}
}

// Answered passes the moment after the answer w of a route was sent.
func Answered(w any, route string) {
	if onPass != nil {
		onPass(route+"/answered", w)
	}
}
