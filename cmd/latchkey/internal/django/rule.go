package django

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"latchkey/cmd/latchkey/internal/config"
)

// rule describes one setting of simplejwt.
type rule struct {
	key  string
	kind kind
	// preset is the package's default, in the form that kind returns, if another rule or the file needs it.
	preset any
	// inert settings have no effect on Latchkey, so they are reported only if they were given.
	inert bool
	judge func(t *Translation, key string)
}

// kind checks the value of a setting. It returns the value in one form, or what is wrong with it.
type kind func(value any) (any, *fault)

// allRules returns the settings of simplejwt 5.5.1 in its own order, and the two that were added later.
func allRules() []rule {
	return []rule{
		{key: "ACCESS_TOKEN_LIFETIME", kind: aDuration, preset: 5 * time.Minute, judge: lifetimeOf("simplejwt-access-token-lifetime")},
		{key: "REFRESH_TOKEN_LIFETIME", kind: aDuration, preset: 24 * time.Hour, judge: sessionLifetimeOf("simplejwt-refresh-token-lifetime")},
		{key: "ROTATE_REFRESH_TOKENS", kind: aFlag, preset: false, judge: judgeRotation},
		{key: "BLACKLIST_AFTER_ROTATION", kind: aFlag, preset: false, judge: judgeBlacklisting},
		{key: "UPDATE_LAST_LOGIN", kind: aFlag, preset: false, judge: judgeLastLogin},
		{key: "ALGORITHM", kind: aText, preset: "HS256", judge: judgeAlgorithm},
		{key: "SIGNING_KEY", kind: aText, preset: "", judge: judgeSigningKey},
		{key: "VERIFYING_KEY", kind: aKey, preset: "", inert: true, judge: judgeVerifyingKey},
		{key: "AUDIENCE", kind: anAudience, preset: "", judge: textOf("simplejwt-audience")},
		{key: "ISSUER", kind: aTextOrNone, preset: "", judge: textOf("simplejwt-issuer")},
		{key: "JSON_ENCODER", kind: aTextOrNone, preset: "", inert: true, judge: customised("",
			"Claims are texts and numbers, so an encoder is not used", "Check what it is for: usually a custom TOKEN_OBTAIN_SERIALIZER.")},
		{key: "JWK_URL", kind: aKey, preset: "", inert: true, judge: judgeJWKURL},
		{key: "LEEWAY", kind: aLeeway, preset: time.Duration(0), judge: lifetimeOf("simplejwt-leeway")},
		{key: "AUTH_HEADER_TYPES", kind: texts, preset: []string{"Bearer"}, inert: true, judge: judgeHeaderTypes},
		{key: "AUTH_HEADER_NAME", kind: aText, preset: "HTTP_AUTHORIZATION", inert: true, judge: ofTheAPIs},
		{key: "USER_ID_FIELD", kind: aText, preset: "id", judge: judgeUserIDField},
		{key: "USER_ID_CLAIM", kind: aText, preset: "user_id", judge: textOf("simplejwt-user-id-claim")},
		{key: "USER_AUTHENTICATION_RULE", kind: aText, inert: true, judge: customised("rest_framework_simplejwt.authentication.default_user_authentication_rule",
			"Every active user may log in; the rule is not evaluated", "Disable the users that it keeps out: latchkey user disable NAME.")},
		{key: "ON_LOGIN_SUCCESS", kind: aText, inert: true, judge: customised("rest_framework_simplejwt.serializers.default_on_login_success",
			"It is not called after a login", "Use the audit event login_succeeded instead.")},
		{key: "ON_LOGIN_FAILED", kind: aText, inert: true, judge: customised("rest_framework_simplejwt.serializers.default_on_login_failed",
			"It is not called after a refused login", "Use the audit event login_failed instead.")},
		{key: "AUTH_TOKEN_CLASSES", kind: texts, preset: []string{"rest_framework_simplejwt.tokens.AccessToken"}, judge: judgeTokenClasses},
		{key: "TOKEN_TYPE_CLAIM", kind: aText, preset: "token_type", judge: onlyAs("token_type")},
		{key: "JTI_CLAIM", kind: aText, preset: "jti", judge: onlyAs("jti")},
		{key: "TOKEN_USER_CLASS", kind: aText, preset: "rest_framework_simplejwt.models.TokenUser", inert: true, judge: ofTheAPIs},
		{key: "SLIDING_TOKEN_REFRESH_EXP_CLAIM", kind: aText, preset: "refresh_exp", judge: ofSliding(onlyAs("refresh_exp"))},
		{key: "SLIDING_TOKEN_LIFETIME", kind: aDuration, preset: 5 * time.Minute, judge: ofSliding(lifetimeOf("simplejwt-sliding-token-lifetime"))},
		{
			key: "SLIDING_TOKEN_REFRESH_LIFETIME", kind: aDuration, preset: 24 * time.Hour,
			judge: ofSliding(sessionLifetimeOf("simplejwt-sliding-token-refresh-lifetime")),
		},
		{key: "TOKEN_OBTAIN_SERIALIZER", kind: aText, inert: true, judge: serializer("TokenObtainPairSerializer")},
		{key: "TOKEN_REFRESH_SERIALIZER", kind: aText, inert: true, judge: serializer("TokenRefreshSerializer")},
		{key: "TOKEN_VERIFY_SERIALIZER", kind: aText, inert: true, judge: serializer("TokenVerifySerializer")},
		{key: "TOKEN_BLACKLIST_SERIALIZER", kind: aText, inert: true, judge: serializer("TokenBlacklistSerializer")},
		{key: "SLIDING_TOKEN_OBTAIN_SERIALIZER", kind: aText, inert: true, judge: ofSliding(serializer("TokenObtainSlidingSerializer"))},
		{key: "SLIDING_TOKEN_REFRESH_SERIALIZER", kind: aText, inert: true, judge: ofSliding(serializer("TokenRefreshSlidingSerializer"))},
		{key: "CHECK_REVOKE_TOKEN", kind: aFlag, preset: false, inert: true, judge: judgeRevokeCheck},
		{key: "REVOKE_TOKEN_CLAIM", kind: aText, preset: "hash_password", inert: true, judge: ofTheAPIs},
		{key: "CHECK_USER_IS_ACTIVE", kind: aFlag, preset: true, inert: true, judge: judgeActiveCheck},
	}
}

// Translate judges every known setting, given or not, and reports unknown ones.
func Translate(dictionary map[string]any) *Translation {
	return translate(dictionary, &Translation{})
}

// translate is Translate for a Translation that has what else is known of the site.
func translate(dictionary map[string]any, t *Translation) *Translation {
	t.given, t.unfit, t.values = map[string]bool{}, map[string]bool{}, map[string]any{}
	rules := allRules()
	var known []string
	for _, r := range rules {
		known = append(known, r.key)
		t.values[r.key] = r.preset
		value, given := dictionary[r.key]
		if !given {
			continue
		}
		t.given[r.key] = true
		fit, wrong := r.kind(value)
		if wrong == nil {
			t.values[r.key] = fit
			continue
		}
		t.unfit[r.key] = true
		t.Findings = append(t.Findings, Finding{r.key, NeedsDecision, "It " + wrong.problem, wrong.remedy, !r.inert})
	}
	for _, r := range rules {
		switch {
		case t.unfit[r.key] && !r.inert:
			t.leaveOut(r.key)
		case !t.unfit[r.key] && (t.given[r.key] || !r.inert):
			r.judge(t, r.key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(dictionary)) {
		if !slices.Contains(known, key) {
			t.given[key] = true
			t.report(key, NeedsDecision, "simplejwt 5.5.1 has no such setting and ignores it", unknownRemedy(key, known))
		}
	}
	order := func(key string) int {
		if i := slices.Index(known, key); i >= 0 {
			return i
		}
		return len(known)
	}
	slices.SortStableFunc(t.Findings, func(a, b Finding) int { return order(a.Key) - order(b.Key) })
	return t
}

// unknownRemedy suggests the nearest known setting.
func unknownRemedy(key string, known []string) string {
	if key == "SECRET_KEY" { // removed from simplejwt long ago
		return "It is called SIGNING_KEY."
	}
	best := config.Nearest(strings.ToUpper(key), known, len(key)/2+1)
	if best == "" {
		return "Leave it out, or check which code reads it."
	}
	return "If " + best + " was meant, correct it and translate again; Django now uses the default."
}

// report adds the finding on a key, if the key was given.
func (t *Translation) report(key string, verdict Verdict, finding, remedy string) {
	if t.given[key] {
		t.Findings = append(t.Findings, Finding{Key: key, Verdict: verdict, Finding: finding, Remedy: remedy})
	}
}

// block reports that the configuration can't be used until the key is decided on.
func (t *Translation) block(key, finding, remedy string) {
	t.Findings = append(t.Findings, Finding{key, NeedsDecision, finding, remedy, true})
}

// put adds an option to the file. If the option's own check refuses the text, it reports that and returns false.
func (t *Translation) put(key string, o line) bool {
	comment := key
	if !t.given[key] {
		comment += " (simplejwt's default)"
	}
	if o.comment != "" {
		comment += "\n" + o.comment
	}
	o.comment = comment
	if wrong := config.Check(o.name, o.text); wrong != nil {
		t.block(key, "It "+wrong.Problem, wrong.Remedy)
		t.leaveOut(key)
		return false
	}
	t.options = append(t.options, o)
	return true
}

// leaveOut writes into the file that a key can't be used.
func (t *Translation) leaveOut(key string) {
	t.options = append(t.options, line{comment: key + " can't be used as it is."})
}

// fault describes what is wrong with a value and how to fix it. The problem continues a sentence that begins with the key.
type fault struct{ problem, remedy string }

func aFlag(value any) (any, *fault) {
	if flag, ok := value.(bool); ok {
		return flag, nil
	}
	return nil, &fault{"is neither true nor false", "Write true or false, without quotes: in Python any text is true."}
}

func aDuration(value any) (any, *fault) {
	const remedy = "Write seconds (900), PT15M, P7D, \"0:15:00\", \"7 days, 0:00:00\" or \"7 00:00:00\"."
	var text string
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return nil, &fault{errNotDuration.Error(), remedy}
	}
	d, err := parseDuration(text)
	switch {
	case err != nil:
		return nil, &fault{err.Error(), remedy}
	case d < 0:
		return nil, &fault{"is below zero", remedy}
	}
	return d, nil
}

// aLeeway may be None.
func aLeeway(value any) (any, *fault) {
	if value == nil {
		return time.Duration(0), nil
	}
	return aDuration(value)
}

func aText(value any) (any, *fault) {
	switch text, ok := value.(string); {
	case !ok:
		return nil, &fault{"is not a text", "Write text in quotes."}
	case text == "":
		return nil, &fault{"is empty", "Write text in quotes."}
	default:
		return text, nil
	}
}

// aTextOrNone returns "" for None. Empty text is refused: APIs that have it require an empty claim.
func aTextOrNone(value any) (any, *fault) {
	if value == nil {
		return "", nil
	}
	text, wrong := aText(value)
	if wrong != nil {
		wrong.remedy = "Write text in quotes, or null for None, which the APIs must have as well."
	}
	return text, wrong
}

// aKey may be empty, which is its default.
func aKey(value any) (any, *fault) {
	if value == "" {
		return "", nil
	}
	return aTextOrNone(value)
}

// anAudience may be a list, which is returned as lines: PyJWT writes all of them and accepts a token that has one. A list of one becomes
// a text, which an API that expects the list accepts as well.
func anAudience(value any) (any, *fault) {
	list, ok := value.([]any)
	if !ok {
		if value == nil {
			return "", nil
		}
		list = []any{value}
	}
	var all []string
	for _, one := range list {
		text, wrong := aText(one)
		if wrong != nil {
			wrong.remedy = "Write a text or a list of texts such as [\"api\", \"reports\"], or null for None, which the APIs must have as well."
			return nil, wrong
		}
		if all = append(all, text.(string)); strings.ContainsAny(text.(string), ",\r\n") || strings.TrimSpace(text.(string)) != text {
			return nil, &fault{"has a comma, a line break, or a space at an end", "Use another audience in Django first: here commas separate audiences."}
		}
	}
	if len(all) == 0 {
		return nil, &fault{"is an empty list, which no token satisfies", "Name the audiences, or leave it out."}
	}
	return strings.Join(all, "\n"), nil
}

// texts accepts a single text too, as simplejwt does for AUTH_HEADER_TYPES.
func texts(value any) (any, *fault) {
	wrong := &fault{"is not a list of texts", "Write a list such as [\"Bearer\"]."}
	if text, ok := value.(string); ok {
		return []string{text}, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, wrong
	}
	found := make([]string, len(list))
	for i, one := range list {
		if found[i], ok = one.(string); !ok {
			return nil, wrong
		}
	}
	return found, nil
}
