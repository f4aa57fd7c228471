package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/simplejwt"
)

func (t *translation) flag(key string) bool              { return t.values[key].(bool) }
func (t *translation) text(key string) string            { return t.values[key].(string) }
func (t *translation) duration(key string) time.Duration { return t.values[key].(time.Duration) }

// symmetric tells whether Django and Latchkey sign with one key.
func (t *translation) symmetric() bool { return strings.HasPrefix(t.text("ALGORITHM"), "HS") }

// lifetimeOf takes a duration over into an option.
func lifetimeOf(name string) func(*translation, string) {
	return func(t *translation, key string) {
		text := clients.Duration(t.duration(key)).String()
		if t.put(key, djangoOption{name: name, text: text}) {
			t.tell(key, takenOver, name+": "+text, "")
		}
	}
}

// textOf takes a text over into an option; none is the option's default.
func textOf(name string) func(*translation, string) {
	return func(t *translation, key string) {
		text := t.text(key)
		if text == "" {
			t.tell(key, takenOver, "None is the default here too", "")
			return
		}
		if t.put(key, djangoOption{name: name, text: text, foreign: true}) {
			t.tell(key, takenOver, name+": "+plain(text), "")
		}
	}
}

// presetSessionEnd is how long a session lasts unless refresh-token-ttl says otherwise.
func presetSessionEnd() clients.Duration {
	preset, err := clients.ParseDuration(optionNamed("refresh-token-ttl").preset)
	if err != nil {
		panic(err) // the option's own declaration is wrong
	}
	return preset
}

// sessionEnd is how long a session has to be able to last.
func (t *translation) sessionEnd() clients.Duration {
	end := max(presetSessionEnd(), clients.Duration(t.duration("REFRESH_TOKEN_LIFETIME")))
	if t.sliding() {
		end = max(end, clients.Duration(t.duration("SLIDING_TOKEN_REFRESH_LIFETIME")))
	}
	return end
}

// sessionLifetimeOf is lifetimeOf for what can't outlast its session: the longest one raises refresh-token-ttl.
func sessionLifetimeOf(name string) func(*translation, string) {
	return func(t *translation, key string) {
		d, end, preset := clients.Duration(t.duration(key)), t.sessionEnd(), presetSessionEnd()
		raised := slices.ContainsFunc(t.options, func(o djangoOption) bool { return o.name == "refresh-token-ttl" })
		if d != end || end == preset || raised {
			lifetimeOf(name)(t, key)
			return
		}
		if !t.put(key, djangoOption{name: name, text: d.String()}) {
			return
		}
		forThese := "latchkey client update simplejwt --refresh-token-ttl " + end.String()
		t.put(key, djangoOption{name: "refresh-token-ttl", text: end.String(), comment: "For these routes alone: " + forThese})
		t.tell(key, takenOver, fmt.Sprintf("%s: %s, and refresh-token-ttl: %s, since a token ends with its session", name, d, end),
			"To leave the sessions of other clients at "+preset.String()+", drop refresh-token-ttl and run: "+forThese)
	}
}

func judgeRotation(t *translation, key string) {
	o := djangoOption{name: "simplejwt-rotation", text: "off"}
	if t.flag(key) {
		o.text = "reissue"
		if t.flag("BLACKLIST_AFTER_ROTATION") {
			o.text, o.comment = "confirmed", "Recommended. For exactly what Django did, BLACKLIST_AFTER_ROTATION and all: strict, and simplejwt-on-reuse: reject."
		}
	}
	t.put(key, o)
	finding, mend := o.name+": "+o.text, ""
	if t.flag(key) {
		mend = fmt.Sprintf("A session ends after refresh-token-ttl (%s), however often it is refreshed; Django's never ended. Raise it if that is too early.", t.sessionEnd())
	}
	switch o.text {
	case "reissue":
		mend += " It detects no stolen token: go on to confirmed when the metrics show that nobody would break."
	case "confirmed":
		finding += ", see BLACKLIST_AFTER_ROTATION"
	}
	t.tell(key, takenOver, finding, mend)
}

func judgeBlacklisting(t *translation, key string) {
	switch {
	case !t.flag(key) && t.flag("ROTATE_REFRESH_TOKENS"):
		t.tell(key, takenOver, "simplejwt-rotation: reissue retires nothing", "")
	case !t.flag(key):
		t.tell(key, takenOver, "Nothing is rotated, so nothing is retired", "")
	case t.unfit["ROTATE_REFRESH_TOKENS"]:
		t.tell(key, needsDecision, "It depends on ROTATE_REFRESH_TOKENS", "Mend that first.")
	case !t.flag("ROTATE_REFRESH_TOKENS"):
		t.tell(key, noEffect, "Nothing is rotated. /api/token/verify/ refuses the tokens of ended sessions always", "")
	default:
		t.tell(key, needsDecision, "The file has the recommended simplejwt-rotation: confirmed: a token that was replaced and comes back ends its session, "+
			"and an answer lost on the way logs nobody out",
			"Keep it; or write simplejwt-rotation: strict and simplejwt-on-reuse: reject, exactly what Django did; or reissue, if "+
				"rest_framework_simplejwt.token_blacklist is not in INSTALLED_APPS, since Django blacklisted nothing then.")
	}
}

func judgeLastLogin(t *translation, key string) {
	text := "off"
	if t.flag(key) {
		text = "on"
	}
	t.put(key, djangoOption{name: "simplejwt-update-last-login", text: text})
	t.tell(key, takenOver, "simplejwt-update-last-login: "+text, "")
}

func judgeAlgorithm(t *translation, key string) {
	text := t.text(key)
	if !t.put(key, djangoOption{name: "simplejwt-algorithm", text: text}) {
		return
	}
	if t.symmetric() {
		t.tell(key, takenOver, "simplejwt-algorithm: "+text, "")
		return
	}
	t.tell(key, needsDecision, "simplejwt-algorithm: "+text+" signs with keys of Latchkey's own",
		"In every API keep ALGORITHM, set JWK_URL to the issuer's URL with /oauth2/jwks after it, and drop VERIFYING_KEY. Tokens that Django signed end there: people log in once.")
}

// judgeSigningKey speaks up even when there is none, which means SECRET_KEY.
func judgeSigningKey(t *translation, key string) {
	if !t.symmetric() {
		t.tell(key, noEffect, "Latchkey signs with keys of its own", "")
		return
	}
	const mend = "put it into a file that only this server reads, and set LATCHKEY_SIMPLEJWT_SIGNING_KEY_FILE to its name"
	t.options = append(t.options, djangoOption{
		comment: key + " (SECRET_KEY, unless it was set) is not copied:\n" + mend + ".",
	})
	finding := "It is not copied"
	if !t.given[key] {
		finding = "It is not here; where it is not set, Django signs with SECRET_KEY"
	}
	t.findings = append(t.findings, djangoFinding{
		Key: key, Verdict: needsDecision, Finding: finding,
		Mend: strings.ToUpper(mend[:1]) + mend[1:] + ". Without it the APIs refuse the tokens, and the tokens in flight end.",
	})
}

func judgeVerifyingKey(t *translation, key string) {
	if t.text(key) == "" || t.symmetric() {
		t.tell(key, noEffect, "One key signs and verifies", "")
		return
	}
	t.tell(key, noEffect, "The APIs find the keys at JWK_URL instead, see ALGORITHM", "")
}

func judgeJWKURL(t *translation, key string) {
	if t.text(key) == "" || t.symmetric() {
		t.tell(key, noEffect, "It is the APIs' setting", "")
		return
	}
	t.tell(key, needsDecision, "The keys are Latchkey's from now on", "In every API set it to the issuer's URL with /oauth2/jwks after it.")
}

func judgeHeaderTypes(t *translation, key string) {
	if !slices.Equal(t.values[key].([]string), []string{"Bearer"}) {
		t.tell(key, noEffect, "It is the APIs' setting, which they keep; a 401 of these routes says WWW-Authenticate: Bearer", "")
		return
	}
	ofTheAPIs(t, key)
}

// ofTheAPIs is for settings that only those read who check tokens.
func ofTheAPIs(t *translation, key string) {
	t.tell(key, noEffect, "It is the APIs' setting, which they keep", "")
}

func judgeUserIDField(t *translation, key string) {
	if text := t.text(key); text == "id" || text == "pk" {
		t.tell(key, takenOver, "Tokens carry the user's id", "Keep the ids: latchkey user add --id.")
		return
	}
	t.block(key, "Tokens carry the user's id, a number, and no other field", "Let the APIs find users by id: USER_ID_FIELD = \"id\" there, then leave it out here.")
}

// onlyAs is for claims whose names are fixed.
func onlyAs(name string) func(*translation, string) {
	return func(t *translation, key string) {
		if t.text(key) == name {
			t.tell(key, takenOver, "The claim is "+name, "")
			return
		}
		t.block(key, "The claim is always "+name, "Set "+key+" = \""+name+"\" in the APIs, then leave it out here. Tokens that Django signed end there.")
	}
}

// customised is for code that Latchkey does not run; the package's own it need not.
func customised(preset, finding, mend string) func(*translation, string) {
	return func(t *translation, key string) {
		if class(t.text(key)) == preset {
			t.tell(key, noEffect, "The package's own, as here", "")
			return
		}
		t.tell(key, needsDecision, finding, mend)
	}
}

// class is the name of a class that was written with str().
func class(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(text, "<class '"), "'>")
}

func serializer(name string) func(*translation, string) {
	return customised("rest_framework_simplejwt.serializers."+name, "Answers and tokens are the package's; your serializer is not run",
		"Look what it adds. Tokens can have the claims "+strings.Join(simplejwt.UserClaims(), ", ")+": simplejwt-claims. The rest an API of yours has to give.")
}

// sliding tells whether the APIs take sliding tokens.
func (t *translation) sliding() bool {
	return slices.ContainsFunc(t.values["AUTH_TOKEN_CLASSES"].([]string), func(name string) bool {
		return strings.HasSuffix(class(name), "SlidingToken")
	})
}

func judgeTokenClasses(t *translation, key string) {
	takesAccess := slices.ContainsFunc(t.values[key].([]string), func(name string) bool {
		return strings.HasSuffix(class(name), "AccessToken")
	})
	switch {
	case t.sliding():
		t.put(key, djangoOption{name: "simplejwt-sliding", text: "on", comment: "The APIs take sliding tokens."})
		t.tell(key, takenOver, "simplejwt-sliding: on, since the APIs take sliding tokens", "")
	case !takesAccess:
		t.tell(key, needsDecision, "The APIs seem to take no access tokens", "Have rest_framework_simplejwt.tokens.AccessToken among them.")
	default:
		ofTheAPIs(t, key)
	}
}

// ofSliding is for settings of sliding tokens, which count where an API takes them.
func ofSliding(judge func(*translation, string)) func(*translation, string) {
	return func(t *translation, key string) {
		if t.sliding() {
			judge(t, key)
			return
		}
		t.tell(key, noEffect, "AUTH_TOKEN_CLASSES has no SlidingToken, so that no API takes one", "")
	}
}

func judgeRevokeCheck(t *translation, key string) {
	if !t.flag(key) {
		t.tell(key, noEffect, "A new password ends every session of the user always", "")
		return
	}
	t.tell(key, needsDecision, "A new password ends every session of the user without it, and tokens carry no claim for it",
		"Set it to False in every API before the move: with it they refuse Latchkey's tokens.")
}

func judgeActiveCheck(t *translation, key string) {
	if t.flag(key) {
		t.tell(key, takenOver, "Inactive users are always refused", "")
		return
	}
	t.tell(key, needsDecision, "Inactive users are always refused", "Those who shall log in: latchkey user enable NAME.")
}
