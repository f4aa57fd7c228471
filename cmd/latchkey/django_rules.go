package main

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// djangoRule is what is known of one setting of simplejwt.
type djangoRule struct {
	key  string
	kind djangoKind
	// preset is the package's default, in the form that kind gives, where another rule or the file needs it.
	preset any
	// inert settings change nothing that Latchkey does, whatever their value: of those not given there is nothing to say.
	inert bool
	judge func(t *translation, key string)
}

// djangoKind is what a setting's value has to be. It gives the value in one form, and what is wrong with it otherwise.
type djangoKind func(value any) (any, *unfit)

// djangoRules are the settings of simplejwt 5.5.1 in its own order, and the two that came after it.
func djangoRules() []djangoRule {
	return []djangoRule{
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
			"Claims are texts and numbers, so that no encoder is asked", "Look what it is for: most serve a TOKEN_OBTAIN_SERIALIZER of your own.")},
		{key: "JWK_URL", kind: aKey, preset: "", inert: true, judge: judgeJWKURL},
		{key: "LEEWAY", kind: aLeeway, preset: time.Duration(0), judge: lifetimeOf("simplejwt-leeway")},
		{key: "AUTH_HEADER_TYPES", kind: texts, preset: []string{"Bearer"}, inert: true, judge: judgeHeaderTypes},
		{key: "AUTH_HEADER_NAME", kind: aText, preset: "HTTP_AUTHORIZATION", inert: true, judge: ofTheAPIs},
		{key: "USER_ID_FIELD", kind: aText, preset: "id", judge: judgeUserIDField},
		{key: "USER_ID_CLAIM", kind: aText, preset: "user_id", judge: textOf("simplejwt-user-id-claim")},
		{key: "USER_AUTHENTICATION_RULE", kind: aText, inert: true, judge: customised("rest_framework_simplejwt.authentication.default_user_authentication_rule",
			"Every active user may log in; the rule is not asked", "Disable those whom it keeps out: latchkey user disable NAME.")},
		{key: "ON_LOGIN_SUCCESS", kind: aText, inert: true, judge: customised("rest_framework_simplejwt.serializers.default_on_login_success",
			"Nothing of yours is called after a login", "Read the audit event login_succeeded instead.")},
		{key: "ON_LOGIN_FAILED", kind: aText, inert: true, judge: customised("rest_framework_simplejwt.serializers.default_on_login_failed",
			"Nothing of yours is called after a refused login", "Read the audit event login_failed instead.")},
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

// translate judges every known setting, given or not, and tells of those that nobody knows.
func translate(dictionary map[string]any) *translation {
	t := &translation{given: map[string]bool{}, unfit: map[string]bool{}, values: map[string]any{}}
	rules := djangoRules()
	for _, r := range rules {
		t.values[r.key] = r.preset
		value, given := dictionary[r.key]
		if !given {
			continue
		}
		t.given[r.key] = true
		fit, fault := r.kind(value)
		if fault == nil {
			t.values[r.key] = fit
			continue
		}
		t.unfit[r.key] = true
		t.findings = append(t.findings, djangoFinding{r.key, needsDecision, "It " + fault.problem, fault.mend, !r.inert})
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
		if !slices.ContainsFunc(rules, func(r djangoRule) bool { return r.key == key }) {
			t.given[key] = true
			t.tell(key, needsDecision, "simplejwt 5.5.1 has no such setting and ignores it", unknownMend(key, rules))
		}
	}
	order := func(key string) int {
		if i := slices.IndexFunc(rules, func(r djangoRule) bool { return r.key == key }); i >= 0 {
			return i
		}
		return len(rules)
	}
	slices.SortStableFunc(t.findings, func(a, b djangoFinding) int { return order(a.Key) - order(b.Key) })
	return t
}

// unknownMend offers the nearest known setting.
func unknownMend(key string, rules []djangoRule) string {
	if key == "SECRET_KEY" { // dropped long ago
		return "It is called SIGNING_KEY."
	}
	best, distance := "", len(key)/2+1
	for _, r := range rules {
		if d := editDistance(strings.ToUpper(key), r.key); d < distance {
			best, distance = r.key, d
		}
	}
	if best == "" {
		return "Leave it out, or look in the code who reads it."
	}
	return "If " + best + " is meant, correct it and translate again; Django runs with the default now."
}

// tell adds what became of a key. Of keys that the dictionary does not have there is nothing to tell.
func (t *translation) tell(key string, verdict djangoVerdict, finding, mend string) {
	if t.given[key] {
		t.findings = append(t.findings, djangoFinding{Key: key, Verdict: verdict, Finding: finding, Mend: mend})
	}
}

// block tells that the configuration can't be used before the key is decided on.
func (t *translation) block(key, finding, mend string) {
	t.findings = append(t.findings, djangoFinding{key, needsDecision, finding, mend, true})
}

// put writes an option, unless its own check refuses the text: then it is told.
func (t *translation) put(key string, o djangoOption) bool {
	comment := key
	if !t.given[key] {
		comment += " (simplejwt's default)"
	}
	if o.comment != "" {
		comment += "\n" + o.comment
	}
	o.comment = comment
	var fault *unfit
	if err := optionNamed(o.name).set(&settings{}, o.text); errors.As(err, &fault) {
		t.block(key, "It "+fault.problem, fault.mend)
		t.leaveOut(key)
		return false
	}
	t.options = append(t.options, o)
	return true
}

// leaveOut says in the file that a key can't be used.
func (t *translation) leaveOut(key string) {
	t.options = append(t.options, djangoOption{comment: key + " can't be used as it is."})
}

func optionNamed(name string) *option {
	all := options()
	return all[slices.IndexFunc(all, func(o *option) bool { return o.name == name })]
}

func aFlag(value any) (any, *unfit) {
	if flag, ok := value.(bool); ok {
		return flag, nil
	}
	return nil, &unfit{"is neither true nor false", "Write true or false, without quotes: Python takes any text for true."}
}

func aDuration(value any) (any, *unfit) {
	const mend = "Write seconds (900), PT15M, P7D, \"0:15:00\", \"7 days, 0:00:00\" or \"7 00:00:00\"."
	var text string
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return nil, &unfit{errNoDuration.Error(), mend}
	}
	d, err := parseDjangoDuration(text)
	switch {
	case err != nil:
		return nil, &unfit{err.Error(), mend}
	case d < 0:
		return nil, &unfit{"is below zero", mend}
	}
	return d, nil
}

// aLeeway may be None.
func aLeeway(value any) (any, *unfit) {
	if value == nil {
		return time.Duration(0), nil
	}
	return aDuration(value)
}

func aText(value any) (any, *unfit) {
	switch text, ok := value.(string); {
	case !ok:
		return nil, &unfit{"is no text", "Write text in quotes."}
	case text == "":
		return nil, &unfit{"is empty", "Write text in quotes."}
	default:
		return text, nil
	}
}

// aTextOrNone gives "" for None. Empty text is not None to those who check tokens: they demand an empty claim.
func aTextOrNone(value any) (any, *unfit) {
	if value == nil {
		return "", nil
	}
	text, fault := aText(value)
	if fault != nil {
		fault.mend = "Write text in quotes, or null for None, which the APIs need to have as well."
	}
	return text, fault
}

// aKey may be empty, as it is by default.
func aKey(value any) (any, *unfit) {
	if value == "" {
		return "", nil
	}
	return aTextOrNone(value)
}

// anAudience may be a list of one: an API that wants that audience takes the text as well.
func anAudience(value any) (any, *unfit) {
	if list, ok := value.([]any); ok {
		if len(list) != 1 {
			return nil, &unfit{"is not one audience", "Tokens carry one: write the one that every API has among its own."}
		}
		value = list[0]
	}
	return aTextOrNone(value)
}

// texts takes a single text too, as simplejwt does for AUTH_HEADER_TYPES.
func texts(value any) (any, *unfit) {
	fault := &unfit{"is no list of texts", "Write a list such as [\"Bearer\"]."}
	if text, ok := value.(string); ok {
		return []string{text}, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fault
	}
	found := make([]string, len(list))
	for i, one := range list {
		if found[i], ok = one.(string); !ok {
			return nil, fault
		}
	}
	return found, nil
}
