package drf

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// lookupCodec finds the codec of a charset parameter. known is false for a name that means nothing to Python either,
// which the framework ignores; c is nil for one that only Python knows.
func lookupCodec(charset string) (c codec, known bool) {
	switch name := normalize(charset); name {
	case "utf8", "u8", "utf", "utf8ucs2", "utf8ucs4", "cp65001":
		return utf8Codec{}, true
	case "utf8sig":
		return utf8SigCodec{}, true
	case "ascii", "646", "ansix341968", "ansix341986", "cp367", "csascii", "ibm367", "iso646us", "iso646irv1991", "isoir6",
		"us", "usascii":
		return asciiCodec{}, true
	case "latin1", "8859", "cp819", "csisolatin1", "ibm819", "iso8859", "iso88591", "iso885911987", "isoir100", "l1", "latin":
		return charmapCodec{"latin-1", func(b byte) rune { return rune(b) }}, true
	case "utf16", "u16":
		return markedCodec{utf16Codec{binary.LittleEndian}, utf16Codec{binary.BigEndian}, "UTF-16", 2}, true
	case "utf16le", "unicodelittleunmarked":
		return utf16Codec{binary.LittleEndian}, true
	case "utf16be", "unicodebigunmarked":
		return utf16Codec{binary.BigEndian}, true
	case "utf32", "u32":
		return markedCodec{utf32Codec{binary.LittleEndian}, utf32Codec{binary.BigEndian}, "UTF-32", 4}, true
	case "utf32le":
		return utf32Codec{binary.LittleEndian}, true
	case "utf32be":
		return utf32Codec{binary.BigEndian}, true
	default:
		if m := singleByte(name); m != nil {
			return charmapCodec{"charmap", definedIn(m)}, true
		}
		return nil, strings.Contains(othersOfPython, " "+name+" ")
	}
}

// normalize makes the spellings of a name equal that Python takes for one.
func normalize(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
}

// singleByte are the alphabets that are likely to be met.
func singleByte(name string) *charmap.Charmap {
	switch name {
	case "iso88592", "iso885921987", "isoir101", "csisolatin2", "latin2", "l2":
		return charmap.ISO8859_2
	case "iso88593", "latin3", "l3":
		return charmap.ISO8859_3
	case "iso88594", "latin4", "l4":
		return charmap.ISO8859_4
	case "iso88595", "cyrillic":
		return charmap.ISO8859_5
	case "iso88596", "arabic":
		return charmap.ISO8859_6
	case "iso88597", "greek", "greek8":
		return charmap.ISO8859_7
	case "iso88598", "hebrew":
		return charmap.ISO8859_8
	case "iso88599", "latin5", "l5":
		return charmap.ISO8859_9
	case "iso885910", "latin6", "l6":
		return charmap.ISO8859_10
	case "iso885913", "latin7", "l7":
		return charmap.ISO8859_13
	case "iso885914", "latin8", "l8":
		return charmap.ISO8859_14
	case "iso885915", "latin9", "l9":
		return charmap.ISO8859_15
	case "iso885916", "latin10", "l10":
		return charmap.ISO8859_16
	case "cp1250", "1250", "windows1250":
		return charmap.Windows1250
	case "cp1251", "1251", "windows1251":
		return charmap.Windows1251
	case "cp1252", "1252", "windows1252":
		return charmap.Windows1252
	case "cp1253", "1253", "windows1253":
		return charmap.Windows1253
	case "cp1254", "1254", "windows1254":
		return charmap.Windows1254
	case "cp1255", "1255", "windows1255":
		return charmap.Windows1255
	case "cp1256", "1256", "windows1256":
		return charmap.Windows1256
	case "cp1257", "1257", "windows1257":
		return charmap.Windows1257
	case "cp1258", "1258", "windows1258":
		return charmap.Windows1258
	case "cp437", "437", "ibm437":
		return charmap.CodePage437
	case "cp850", "850", "ibm850":
		return charmap.CodePage850
	case "cp866", "866", "ibm866":
		return charmap.CodePage866
	case "koi8r", "cskoi8r":
		return charmap.KOI8R
	case "koi8u":
		return charmap.KOI8U
	case "macroman", "macintosh":
		return charmap.Macintosh
	}
	return nil
}

// definedIn reads a byte of an alphabet. Python has the control characters of ISO 8859, which x/text leaves out, and leaves
// the gaps of Windows' code pages open, which the web's tables fill with control characters.
func definedIn(m *charmap.Charmap) func(byte) rune {
	windows := strings.HasPrefix(m.String(), "Windows")
	iso := strings.HasPrefix(m.String(), "ISO 8859")
	return func(b byte) rune {
		r := m.DecodeByte(b)
		switch {
		case windows && 0x80 <= r && r <= 0x9f:
			return utf8.RuneError
		case iso && 0x80 <= b && b <= 0x9f:
			return rune(b)
		}
		return r
	}
}

// othersOfPython are codecs of Python that nobody sends JSON or a form in. The names are normalized.
const othersOfPython = " utf7 u7 base64 base64codec bz2 bz2codec hex hexcodec quopri quopricodec quotedprintable rot13 uu uucodec" +
	" zip zlib zlibcodec unicodeescape rawunicodeescape punycode idna undefined charmap" +
	" big5 big5tw csbig5 big5hkscs hkscs cp950 950 ms950 gbk 936 cp936 ms936 gb2312 chinese euccn gb23121980 gb18030 hz hzgb2312" +
	" shiftjis csshiftjis sjis shiftjis2004 shiftjisx0213 cp932 932 ms932 mskanji eucjp ujis eucjis2004 eucjisx0213" +
	" euckr korean ksc5601 cp949 949 ms949 uhc johab cp1361 ms1361" +
	" iso2022jp csiso2022jp iso2022jp1 iso2022jp2 iso2022jp2004 iso2022jp3 iso2022jpext iso2022kr csiso2022kr" +
	" cp037 cp1006 cp1026 cp1125 cp1140 cp273 cp424 cp500 cp720 cp737 cp775 cp852 cp855 cp856 cp857 cp858 cp860 cp861 cp862" +
	" cp863 cp864 cp865 cp869 cp874 cp875 hproman8 iso885911 thai tis620 koi8t kz1048 palmos ptcp154" +
	" macarabic maccroatian maccyrillic macfarsi macgreek maciceland maclatin2 macromanian macturkish "
