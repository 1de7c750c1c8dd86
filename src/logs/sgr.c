/*
 * SGR parameters onto attributes; see the header.
 */
#include <pgoncall/logs/sgr.h>

#include <string.h>

enum {
	PARAMS_MAX = 32, /* of one sequence; the rest is passed over */
	VALUE_MAX = 65535,
	NO_COLOUR = -1
};

struct params {
	int values[PARAMS_MAX];
	bool sub[PARAMS_MAX]; /* came after a colon: belongs to the one before */
	size_t n;
};

/* xterm's default colours 0 to 15, as red, green, blue. */
static const unsigned char palette[16][3] = {
	{ 0, 0, 0 },
	{ 205, 0, 0 },
	{ 0, 205, 0 },
	{ 205, 205, 0 },
	{ 0, 0, 238 },
	{ 205, 0, 205 },
	{ 0, 205, 205 },
	{ 229, 229, 229 },
	{ 127, 127, 127 },
	{ 255, 0, 0 },
	{ 0, 255, 0 },
	{ 255, 255, 0 },
	{ 92, 92, 255 },
	{ 255, 0, 255 },
	{ 0, 255, 255 },
	{ 255, 255, 255 },
};

/* Empty parameters are 0. Private ones ("?", ">") make none at all. */
static void read_params(struct params *params, const char *s, size_t len)
{
	size_t i;
	int value = 0;
	bool sub = false;

	memset(params, 0, sizeof(*params));
	for (i = 0; i <= len && params->n < PARAMS_MAX; i++) {
		if (i < len && s[i] >= '0' && s[i] <= '9') {
			value = value * 10 + (s[i] - '0');
			value = value > VALUE_MAX ? VALUE_MAX : value;
		} else if (i == len || s[i] == ';' || s[i] == ':') {
			params->sub[params->n] = sub;
			params->values[params->n++] = value;
			value = 0;
			sub = i < len && s[i] == ':';
		} else {
			params->n = 0;
			return;
		}
	}
}

static int square(int n)
{
	return n * n;
}

/* The nearest of the sixteen, plus 1. */
static int nearest(int red, int green, int blue)
{
	int i, distance, best = 0, best_distance = 3 * 256 * 256;

	for (i = 0; i < 16; i++) {
		distance = square(red - palette[i][0]) + square(green - palette[i][1]) +
			   square(blue - palette[i][2]);
		if (distance < best_distance) {
			best_distance = distance;
			best = i;
		}
	}
	return best + 1;
}

/* Colours 16 to 231 are a cube of 6, 232 to 255 a ramp of greys. */
static int colour_of_256(int n)
{
	static const unsigned char levels[6] = { 0, 95, 135, 175, 215, 255 };
	int grey;

	if (n > 255)
		return NO_COLOUR;
	if (n < 16)
		return n + 1;
	if (n >= 232) {
		grey = 8 + (n - 232) * 10;
		return nearest(grey, grey, grey);
	}
	n -= 16;
	return nearest(levels[n / 36], levels[n / 6 % 6], levels[n % 6]);
}

/* Sub-parameters after position i. */
static size_t count_sub(const struct params *p, size_t i)
{
	size_t n = 0;

	while (i + 1 + n < p->n && p->sub[i + 1 + n])
		n++;
	return n;
}

/* 38 or 48 at i: "38;5;N", "38;2;R;G;B", "38:5:N", "38:2:R:G:B", "38:2:SPACE:R:G:B". Sets *used to
 * the parameters after i it takes. */
static int extended_colour(const struct params *p, size_t i, size_t *used)
{
	size_t sub = count_sub(p, i), left = sub ? sub : p->n - i - 1, rgb;
	const int *v = &p->values[i];

	*used = sub ? sub : left;
	if (left >= 2 && v[1] == 5) {
		*used = sub ? sub : 2;
		return colour_of_256(v[2]);
	}
	if (left >= 4 && v[1] == 2) {
		*used = sub ? sub : 4;
		rgb = sub >= 5 ? 3 : 2;
		if (v[rgb] > 255 || v[rgb + 1] > 255 || v[rgb + 2] > 255)
			return NO_COLOUR;
		return nearest(v[rgb], v[rgb + 1], v[rgb + 2]);
	}
	return NO_COLOUR;
}

static void set_flag(struct log_attr *attr, int set, int clear)
{
	attr->flags = (uint8_t)((attr->flags & ~clear) | set);
}

static void apply_simple(struct log_attr *attr, int value, bool has_sub, int first_sub)
{
	switch (value) {
	case 0:
		memset(attr, 0, sizeof(*attr));
		break;
	case 1:
		set_flag(attr, LOG_ATTR_BOLD, 0);
		break;
	case 2:
		set_flag(attr, LOG_ATTR_DIM, 0);
		break;
	case 4:
		if (has_sub && !first_sub)
			set_flag(attr, 0, LOG_ATTR_UNDERLINE);
		else
			set_flag(attr, LOG_ATTR_UNDERLINE, 0);
		break;
	case 7:
		set_flag(attr, LOG_ATTR_REVERSE, 0);
		break;
	case 21: /* doubly underlined */
		set_flag(attr, LOG_ATTR_UNDERLINE, 0);
		break;
	case 22:
		set_flag(attr, 0, LOG_ATTR_BOLD | LOG_ATTR_DIM);
		break;
	case 24:
		set_flag(attr, 0, LOG_ATTR_UNDERLINE);
		break;
	case 27:
		set_flag(attr, 0, LOG_ATTR_REVERSE);
		break;
	case 39:
		attr->fg = 0;
		break;
	case 49:
		attr->bg = 0;
		break;
	default:
		if (value >= 30 && value <= 37)
			attr->fg = (uint8_t)(value - 30 + 1);
		else if (value >= 90 && value <= 97)
			attr->fg = (uint8_t)(value - 90 + 9);
		else if (value >= 40 && value <= 47)
			attr->bg = (uint8_t)(value - 40 + 1);
		else if (value >= 100 && value <= 107)
			attr->bg = (uint8_t)(value - 100 + 9);
	}
}

void log_sgr_apply(struct log_attr *attr, const char *params, size_t len)
{
	struct params p;
	size_t i, used;
	int colour;

	read_params(&p, params, len);
	for (i = 0; i < p.n; i += used + 1) {
		used = count_sub(&p, i);
		if (p.values[i] == 38 || p.values[i] == 48 || p.values[i] == 58) {
			colour = extended_colour(&p, i, &used);
			if (colour != NO_COLOUR && p.values[i] == 38)
				attr->fg = (uint8_t)colour;
			else if (colour != NO_COLOUR && p.values[i] == 48)
				attr->bg = (uint8_t)colour;
		} else {
			apply_simple(attr, p.values[i], used > 0, used ? p.values[i + 1] : 0);
		}
	}
}
