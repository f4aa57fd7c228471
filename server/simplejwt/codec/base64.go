package codec

// decodeSegment is PyJWT's base64url_decode before its version 2.14: padding is added to what the length of the text
// calls for, and binascii.a2b_base64 reads that without its strict mode, with both alphabets: characters of neither are skipped,
// a quantum that padding completes ends the text, and what follows is not looked at. Spare low bits are ignored.
func decodeSegment(dst []byte, text string) ([]byte, bool) {
	padding := (4 - len(text)%4) % 4
	var left byte
	quantum, pads := 0, 0
	for i := 0; i < len(text)+padding; i++ {
		c := byte('=')
		if i < len(text) {
			c = text[i]
		}
		if c == '=' {
			if quantum >= 2 {
				if pads++; quantum+pads >= 4 {
					return dst, true
				}
			}
			continue
		}
		v, ok := sextet(c)
		if !ok {
			continue
		}
		pads = 0
		switch quantum {
		case 0:
			left = v
		case 1:
			dst = append(dst, left<<2|v>>4)
			left = v & 0x0f
		case 2:
			dst = append(dst, left<<4|v>>2)
			left = v & 0x03
		case 3:
			dst = append(dst, left<<6|v)
		}
		quantum = (quantum + 1) % 4
	}
	return dst, quantum == 0
}

func sextet(c byte) (byte, bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A', true
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26, true
	case '0' <= c && c <= '9':
		return c - '0' + 52, true
	case c == '-' || c == '+':
		return 62, true
	case c == '_' || c == '/':
		return 63, true
	}
	return 0, false
}
