package django

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server/keys"
	"latchkey/server/simplejwt"
)

func (t *Translation) flag(key string) bool              { return t.values[key].(bool) }
func (t *Translation) text(key string) string            { return t.values[key].(string) }
func (t *Translation) duration(key string) time.Duration { return t.values[key].(time.Duration) }

// symmetric reports whether Django and Latchkey sign with the same key.
func (t *Translation) symmetric() bool { return strings.HasPrefix(t.text("ALGORITHM"), "HS") }

// lifetimeOf returns the judge of a duration that becomes an option.
func lifetimeOf(name string) func(*Translation, string) {
	return func(t *Translation, key string) {
		t.takeOver(key, name, clients.Duration(t.duration(key)).String())
	}
}

// takeOver puts a key into the file as an option.
func (t *Translation) takeOver(key, name, text string) {
	if t.put(key, line{name: name, text: text}) {
		t.report(key, TakenOver, name+": "+text, "")
	}
}

// textOf returns the judge of a text that becomes an option; "" is the option's default.
func textOf(name string) func(*Translation, string) {
	return func(t *Translation, key string) {
		text := t.text(key)
		if text == "" {
			t.report(key, TakenOver, "None is the default here as well", "")
			return
		}
		if t.put(key, line{name: name, text: text, quoted: true}) {
			t.report(key, TakenOver, name+": "+strconv.Quote(text), "")
		}
	}
}

// presetSessionEnd returns the default of refresh-token-ttl.
func presetSessionEnd() clients.Duration {
	preset, err := clients.ParseDuration(config.Default("refresh-token-ttl"))
	if err != nil {
		panic(err) // the option's own declaration is wrong
	}
	return preset
}

// sessionEnd returns the refresh-token-ttl that the lifetimes need.
func (t *Translation) sessionEnd() clients.Duration {
	end := max(presetSessionEnd(), clients.Duration(t.duration("REFRESH_TOKEN_LIFETIME")))
	if t.sliding() {
		end = max(end, clients.Duration(t.duration("SLIDING_TOKEN_REFRESH_LIFETIME")))
	}
	return end
}

// sessionLifetimeOf is lifetimeOf for tokens that end with their session: the longest lifetime raises refresh-token-ttl.
func sessionLifetimeOf(name string) func(*Translation, string) {
	return func(t *Translation, key string) {
		d, end, preset := clients.Duration(t.duration(key)), t.sessionEnd(), presetSessionEnd()
		raised := slices.ContainsFunc(t.options, func(o line) bool { return o.name == "refresh-token-ttl" })
		if d != end || end == preset || raised {
			lifetimeOf(name)(t, key)
			return
		}
		if !t.put(key, line{name: name, text: d.String()}) {
			return
		}
		onlyThese := "latchkey client update simplejwt --refresh-token-ttl " + end.String()
		t.put(key, line{name: "refresh-token-ttl", text: end.String(), comment: "To change these routes only: " + onlyThese})
		t.report(key, TakenOver, fmt.Sprintf("%s: %s, and refresh-token-ttl: %s, because tokens end with their session", name, d, end),
			"To keep the sessions of other clients at "+preset.String()+", remove refresh-token-ttl and run: "+onlyThese)
	}
}

func judgeRotation(t *Translation, key string) {
	o := line{name: "simplejwt-rotation", text: "off"}
	if t.flag(key) {
		o.text = "reissue"
		if t.flag("BLACKLIST_AFTER_ROTATION") {
			o.text, o.comment = "confirmed", "Recommended. Exactly what Django did, including BLACKLIST_AFTER_ROTATION: strict, and simplejwt-on-reuse: reject."
		}
	}
	t.put(key, o)
	finding, remedy := o.name+": "+o.text, ""
	if t.flag(key) {
		remedy = fmt.Sprintf("A session ends after refresh-token-ttl (%s), however often it is refreshed; Django's sessions never ended. Raise it if that is too early.", t.sessionEnd())
	}
	switch o.text {
	case "reissue":
		remedy += " It does not detect stolen tokens: switch to confirmed when the metrics show that no client would break."
	case "confirmed":
		finding += ", see BLACKLIST_AFTER_ROTATION"
	}
	t.report(key, TakenOver, finding, remedy)
}

func judgeBlacklisting(t *Translation, key string) {
	switch {
	case !t.flag(key) && t.flag("ROTATE_REFRESH_TOKENS"):
		t.report(key, TakenOver, "simplejwt-rotation: reissue retires no tokens", "")
	case !t.flag(key):
		t.report(key, TakenOver, "Tokens are not rotated, so none are retired", "")
	case t.unfit["ROTATE_REFRESH_TOKENS"]:
		t.report(key, NeedsDecision, "It depends on ROTATE_REFRESH_TOKENS", "Fix that first.")
	case !t.flag("ROTATE_REFRESH_TOKENS"):
		t.report(key, NoEffect, "Tokens are not rotated. /api/token/verify/ always refuses the tokens of ended sessions", "")
	default:
		t.report(key, NeedsDecision, "The file has the recommended simplejwt-rotation: confirmed: reuse of a rotated token ends its session, "+
			"and a response that is lost in transit logs no user out",
			"Keep it. For exactly what Django did, use simplejwt-rotation: strict and simplejwt-on-reuse: reject; or reissue, if "+
				"rest_framework_simplejwt.token_blacklist is not in INSTALLED_APPS, because then Django did not blacklist tokens.")
	}
}

func judgeLastLogin(t *Translation, key string) {
	text := "off"
	if t.flag(key) {
		text = "on"
	}
	t.takeOver(key, "simplejwt-update-last-login", text)
}

func judgeAlgorithm(t *Translation, key string) { t.takeOver(key, "simplejwt-algorithm", t.text(key)) }

// judgeSigningKey reports the key even if it was not given, because its default is SECRET_KEY.
func judgeSigningKey(t *Translation, key string) {
	const remedy = "write it to a file that only this server can read, and set LATCHKEY_SIMPLEJWT_SIGNING_KEY_FILE to its path"
	name, missing := key+" (SECRET_KEY, if it is not set)", "It is missing here; if it is not set, Django signs with SECRET_KEY"
	if !t.symmetric() {
		name, missing = key+", the private key in PEM,", "It is missing here"
	}
	if given, _ := t.values[key].(string); t.given[key] && !t.unfit[key] {
		switch _, err := keys.ReadPEM(t.text("ALGORITHM"), given); {
		case t.symmetric() && keys.IsPEM(given):
			t.block(key, "It is a key in PEM, and ALGORITHM is "+t.text("ALGORITHM"), "Set ALGORITHM to the one that Django signs with, such as RS256.")
		case !t.symmetric() && err != nil:
			wrong, _ := errors.AsType[*keys.PEMError](err)
			t.block(key, "It "+wrong.Problem, wrong.Remedy)
		}
	}
	t.options = append(t.options, line{comment: name + " is not copied:\n" + remedy + "."})
	finding := "It is not copied"
	if !t.given[key] {
		finding = missing
	}
	more := ". Without it the APIs refuse new tokens, and existing tokens are not accepted here."
	if !t.symmetric() {
		more += " To leave the private key in Django, set LATCHKEY_SIMPLEJWT_VERIFYING_KEY_FILE to the public one instead: existing tokens are " +
			"accepted, and every API needs JWK_URL, the issuer's URL followed by /oauth2/jwks, in place of VERIFYING_KEY."
	}
	t.Findings = append(t.Findings, Finding{
		Key: key, Verdict: NeedsDecision, Finding: finding, Remedy: strings.ToUpper(remedy[:1]) + remedy[1:] + more,
	})
}

func judgeVerifyingKey(t *Translation, key string) {
	if t.text(key) == "" || t.symmetric() {
		t.report(key, NoEffect, "The same key signs and verifies", "")
		return
	}
	if _, err := keys.ReadPEM(t.text("ALGORITHM"), t.text(key)); err != nil {
		wrong, _ := errors.AsType[*keys.PEMError](err)
		t.report(key, NeedsDecision, "It "+wrong.Problem, wrong.Remedy)
		return
	}
	t.report(key, TakenOver, "It is the public half of SIGNING_KEY, which is published at /oauth2/jwks", "")
}

func judgeJWKURL(t *Translation, key string) {
	if t.text(key) == "" || t.symmetric() {
		t.report(key, NoEffect, "It is the APIs' setting", "")
		return
	}
	t.report(key, NeedsDecision, "The keys are published at /oauth2/jwks", "In every API set it to the issuer's URL followed by /oauth2/jwks.")
}

func judgeHeaderTypes(t *Translation, key string) {
	if !slices.Equal(t.values[key].([]string), []string{"Bearer"}) {
		t.report(key, NoEffect, "It is the APIs' setting, which they keep; a 401 of these routes has WWW-Authenticate: Bearer", "")
		return
	}
	ofTheAPIs(t, key)
}

// ofTheAPIs judges settings that only the APIs that verify tokens read.
func ofTheAPIs(t *Translation, key string) {
	t.report(key, NoEffect, "It is the APIs' setting, which they keep", "")
}

func judgeUserIDField(t *Translation, key string) {
	if text := t.text(key); text == "id" || text == "pk" {
		t.report(key, TakenOver, "Tokens carry the user's id", "Keep the ids: latchkey user add --id.")
		return
	}
	t.block(key, "Tokens carry the user's numeric id, not another field", "Make the APIs look users up by id: set USER_ID_FIELD = \"id\" there, then leave it out here.")
}

// onlyAs returns the judge of a claim whose name is fixed.
func onlyAs(name string) func(*Translation, string) {
	return func(t *Translation, key string) {
		if t.text(key) == name {
			t.report(key, TakenOver, "The claim is "+name, "")
			return
		}
		t.block(key, "The claim is always "+name, "Set "+key+" = \""+name+"\" in the APIs, then leave it out here. Tokens that Django signed are no longer accepted there.")
	}
}

// customised returns the judge of a setting that names code: Latchkey does not run it, and behaves as the package's own does.
func customised(preset, finding, remedy string) func(*Translation, string) {
	return func(t *Translation, key string) {
		if class(t.text(key)) == preset {
			t.report(key, NoEffect, "It is the package's default, which Latchkey follows", "")
			return
		}
		t.report(key, NeedsDecision, finding, remedy)
	}
}

// class returns the name of a class that was written with str().
func class(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(text, "<class '"), "'>")
}

func serializer(name string) func(*Translation, string) {
	return customised("rest_framework_simplejwt.serializers."+name, "Responses and tokens are those of the package; your serializer is not run",
		"Check what it adds. Tokens can have the claims "+strings.Join(simplejwt.UserClaims(), ", ")+": simplejwt-claims. Serve everything else from an API of your own.")
}

// sliding reports whether there are sliding tokens: the APIs accept them, or a route issues them.
func (t *Translation) sliding() bool {
	return t.routedSliding || slices.ContainsFunc(t.values["AUTH_TOKEN_CLASSES"].([]string), func(name string) bool {
		return strings.HasSuffix(class(name), "SlidingToken")
	})
}

func judgeTokenClasses(t *Translation, key string) {
	takesAccess := slices.ContainsFunc(t.values[key].([]string), func(name string) bool {
		return strings.HasSuffix(class(name), "AccessToken")
	})
	switch {
	case t.sliding():
		why := "The APIs accept sliding tokens"
		if t.routedSliding {
			why = "A route of the package issues sliding tokens"
		}
		t.put(key, line{name: "simplejwt-sliding", text: "on", comment: why + "."})
		t.report(key, TakenOver, "simplejwt-sliding: on. "+why, "")
	case !takesAccess:
		t.report(key, NeedsDecision, "The APIs do not seem to accept access tokens", "Add rest_framework_simplejwt.tokens.AccessToken to the list.")
	default:
		ofTheAPIs(t, key)
	}
}

// ofSliding returns a judge that applies only if there are sliding tokens.
func ofSliding(judge func(*Translation, string)) func(*Translation, string) {
	return func(t *Translation, key string) {
		if t.sliding() {
			judge(t, key)
			return
		}
		t.report(key, NoEffect, "AUTH_TOKEN_CLASSES has no SlidingToken and no route issues one, so that there are no sliding tokens", "")
	}
}

func judgeRevokeCheck(t *Translation, key string) {
	if !t.flag(key) {
		t.report(key, NoEffect, "A new password always ends every session of the user", "")
		return
	}
	t.report(key, NeedsDecision, "A new password ends every session of the user even without it, and tokens do not carry its claim",
		"Set it to False in every API before the move: otherwise they refuse Latchkey's tokens.")
}

func judgeActiveCheck(t *Translation, key string) {
	if t.flag(key) {
		t.report(key, TakenOver, "Inactive users are always refused", "")
		return
	}
	t.report(key, NeedsDecision, "Inactive users are always refused", "To let a user log in: latchkey user enable NAME.")
}
