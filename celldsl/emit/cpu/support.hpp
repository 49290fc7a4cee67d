// What every generated kernel stands on: vectors, functions, products. Included by text, so that a kernel is one
// file that needs the C++17 standard library alone. `real` is float, or double with -DCELLDSL_DOUBLE.
//
// Vectors are those of GCC and clang (`vector_size`), as wide as the target's registers: AVX-512, AVX2, else 16
// bytes (SSE2, NEON, …). Intrinsics stand only where the compiler finds no good code by itself.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <numeric>
#include <thread>
#include <type_traits>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace celldsl {

#ifdef CELLDSL_DOUBLE
using real = double;
using whole = int64_t;
#else
using real = float;
using whole = int32_t;
#endif

#if defined(__AVX512F__)
constexpr int BYTES = 64, ROWS = 6, VECTORS = 4;
#elif defined(__AVX2__) || defined(__AVX__)
constexpr int BYTES = 32, ROWS = 6, VECTORS = 2;
#elif defined(__aarch64__)
constexpr int BYTES = 16, ROWS = 6, VECTORS = 4;
#else
constexpr int BYTES = 16, ROWS = 6, VECTORS = 2;
#endif
constexpr int LANES = BYTES / static_cast<int>(sizeof(real));

typedef real vec __attribute__((vector_size(BYTES)));
typedef whole ivec __attribute__((vector_size(BYTES)));
typedef real loose __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));

#define CELLDSL_INLINE inline __attribute__((always_inline))
#ifdef CELLDSL_DOUBLE
#define CELLDSL_ONES -1, -1, -1, -1
#else
#define CELLDSL_ONES -1, -1, -1, -1, -1, -1, -1, -1
#endif

// Subtracting 0 leaves every value as it is, and the compiler drops it; adding 0 would turn -0 into 0, and be computed.
CELLDSL_INLINE vec broadcast(real value) { return value - vec{}; }
CELLDSL_INLINE vec load(const real* p) { return *reinterpret_cast<const loose*>(p); }
CELLDSL_INLINE void store(real* p, vec v) { *reinterpret_cast<loose*>(p) = v; }

// The first `count` lanes; the others are zero, and are not touched in memory.
CELLDSL_INLINE vec load_part(const real* p, int count) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), p);
#elif defined(__AVX512F__)
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1u), p);
#elif defined(__AVX2__)
  // The window of a row of ones and zeros that has `count` ones.
  alignas(32) static const whole ones[2 * LANES] = {CELLDSL_ONES};
  const __m256i kept = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones + LANES - count));
#ifdef CELLDSL_DOUBLE
  return _mm256_maskload_pd(p, kept);
#else
  return _mm256_maskload_ps(p, kept);
#endif
#else
  vec v{};
  for (int lane = 0; lane < LANES; ++lane)
    if (lane < count) v[lane] = p[lane];
  return v;
#endif
}
CELLDSL_INLINE void store_part(real* p, vec v, int count) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1u), v);
#elif defined(__AVX512F__)
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << count) - 1u), v);
#elif defined(__AVX2__) && !defined(CELLDSL_DOUBLE)
  // By fours, twos and ones: masked stores are slow on some processors.
  __m128 rest = _mm256_castps256_ps128(v);
  if (count & 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (count & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if (count & 1) _mm_store_ss(p, rest);
#elif defined(__AVX2__)
  __m128d rest = _mm256_castpd256_pd128(v);
  if (count & 2) {
    _mm_storeu_pd(p, rest);
    rest = _mm256_extractf128_pd(v, 1);
    p += 2;
  }
  if (count & 1) _mm_store_sd(p, rest);
#else
  for (int lane = 0; lane < LANES; ++lane)
    if (lane < count) p[lane] = v[lane];
#endif
}
template <bool part>
CELLDSL_INLINE vec get(const real* p, int count) {
  if constexpr (part) return load_part(p, count);
  return load(p);
}
template <bool part>
CELLDSL_INLINE void put(real* p, vec v, int count) {
  if constexpr (part)
    store_part(p, v, count);
  else
    store(p, v);
}

// --- functions -----------------------------------------------------------------------------
//
// NaN goes through all of them but sign, which gives 0 as torch's does. Errors, in units in the last place of the
// result (ulp), as the tests measure them:
// float: exp, sigmoid, tanh 3; log, log1p, erf, elu, softplus, log_sigmoid 2;
// double: exp, log, log1p 2; erf, elu, softplus, log_sigmoid 3; sigmoid, tanh 4.
// sin, cos and power call libm on each lane: shipped cells take them of parameters alone, once a call.

typedef decltype(vec{} < vec{}) mask;

CELLDSL_INLINE vec where(mask m, vec a, vec b) { return m ? a : b; }
CELLDSL_INLINE mask less(vec a, vec b) { return a < b; }
CELLDSL_INLINE mask between(vec low, vec a, vec high) { return (low < a) & (a < high); }

template <class Function>
CELLDSL_INLINE vec lanewise(Function f, vec x) {
  for (int lane = 0; lane < LANES; ++lane) x[lane] = f(x[lane]);
  return x;
}

// a where it is NaN, else within [low, high]. The instructions give their second operand where one is NaN.
CELLDSL_INLINE vec within(vec a, real low, real high) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  return _mm512_min_ps(broadcast(high), _mm512_max_ps(broadcast(low), a));
#elif defined(__AVX512F__)
  return _mm512_min_pd(broadcast(high), _mm512_max_pd(broadcast(low), a));
#elif defined(__AVX2__) && !defined(CELLDSL_DOUBLE)
  return _mm256_min_ps(broadcast(high), _mm256_max_ps(broadcast(low), a));
#elif defined(__AVX2__)
  return _mm256_min_pd(broadcast(high), _mm256_max_pd(broadcast(low), a));
#else
  a = where(a < broadcast(low), broadcast(low), a);
  return where(a > broadcast(high), broadcast(high), a);
#endif
}

CELLDSL_INLINE vec bits(ivec pattern) {
  vec v;
  std::memcpy(&v, &pattern, sizeof v);
  return v;
}
CELLDSL_INLINE ivec pattern(vec v) {
  ivec found;
  std::memcpy(&found, &v, sizeof found);
  return found;
}
constexpr whole SIGN = std::numeric_limits<whole>::min();
CELLDSL_INLINE vec abs(vec x) { return bits(pattern(x) & ~SIGN); }
// The size of the one, which has no sign of its own, with the sign of the other.
CELLDSL_INLINE vec signed_as(vec size, vec x) { return bits(pattern(size) | (pattern(x) & SIGN)); }

// p * 2^k, for whole k; overflows and underflows as the true product does.
CELLDSL_INLINE vec scaled(vec p, vec k) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  return _mm512_scalef_ps(p, k);
#elif defined(__AVX512F__)
  return _mm512_scalef_pd(p, k);
#else
  constexpr int mantissa = std::numeric_limits<real>::digits - 1;
  constexpr whole bias = std::numeric_limits<real>::max_exponent - 1;
  const ivec whole_k = __builtin_convertvector(where(k == k, k, vec{}), ivec);
  const ivec half = whole_k >> 1;
  return p * bits((half + bias) << mantissa) * bits((whole_k - half + bias) << mantissa);
#endif
}

// The same for results that are neither subnormal nor infinite, in half the instructions.
CELLDSL_INLINE vec scaled_within(vec p, vec k) {
#if defined(__AVX512F__)
  return scaled(p, k);
#else
  constexpr int mantissa = std::numeric_limits<real>::digits - 1;
  constexpr whole bias = std::numeric_limits<real>::max_exponent - 1;
#if defined(__AVX2__) && !defined(CELLDSL_DOUBLE)
  const ivec whole_k = reinterpret_cast<ivec>(_mm256_cvtps_epi32(k));  // of NaN: any number, and p is NaN
#else
  const ivec whole_k = __builtin_convertvector(where(k == k, k, vec{}), ivec);
#endif
  return p * bits((whole_k + bias) << mantissa);
#endif
}

CELLDSL_INLINE vec nearest(vec a) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  return _mm512_roundscale_ps(a, 8);
#elif defined(__AVX512F__)
  return _mm512_roundscale_pd(a, 8);
#elif defined(__AVX2__) && !defined(CELLDSL_DOUBLE)
  return _mm256_round_ps(a, 8);
#elif defined(__AVX2__)
  return _mm256_round_pd(a, 8);
#else
  // Adding 1.5 * 2^mantissa leaves no room for a fraction.
  constexpr real big = sizeof(real) == 4 ? real(12582912.0) : real(6755399441055744.0);
  volatile real keep = big;
  const vec shift = broadcast(keep);
  return (a + shift) - shift;
#endif
}

// exp by 2^k e^r with |r| <= ln2 / 2; the polynomials are those of Moshier's Cephes, summed in pairs (Estrin) so that
// fewer multiply-adds wait for each other.
CELLDSL_INLINE vec halvings(vec x) { return nearest(x * real(1.44269504088896340736)); }

// e^r - 1, for x = k ln2 + r.
CELLDSL_INLINE vec expm1_rest(vec x, vec k) {
#ifdef CELLDSL_DOUBLE
  vec r = x - k * real(6.93145751953125e-1);
  r = r - k * real(1.42860682030941723212e-6);
  const vec rr = r * r;
  const vec p = r * ((real(1.26177193074810590878e-4) * rr + real(3.02994407707441961300e-2)) * rr + real(1));
  const vec q = ((real(3.00198505138664455042e-6) * rr + real(2.52448340349684104192e-3)) * rr +
                 real(2.27265548208155028766e-1)) * rr + real(2);
  return (p + p) / (q - p);
#else
  vec r = x - k * real(0.693359375);
  r = r - k * real(-2.12194440e-4);
  const vec rr = r * r;
  const vec high = real(1.9875691500e-4) * r + real(1.3981999507e-3);
  const vec middle = real(8.3334519073e-3) * r + real(4.1665795894e-2);
  const vec low = real(1.6666665459e-1) * r + real(5.0000001201e-1);
  return ((high * rr + middle) * rr + low) * rr + r;
#endif
}

// tame: the result is neither subnormal nor infinite.
template <bool tame = false>
CELLDSL_INLINE vec exp_core(vec x) {
  const vec k = halvings(x), power = real(1) + expm1_rest(x, k);
  if constexpr (tame) return scaled_within(power, k);
  return scaled(power, k);
}
CELLDSL_INLINE vec exp(vec x) {
#ifdef CELLDSL_DOUBLE
  return exp_core(within(x, real(-746), real(710)));
#else
  return exp_core(within(x, real(-104), real(89)));
#endif
}

// 1 / d, for d between 1 and the square root of the largest number.
CELLDSL_INLINE vec reciprocal(vec d) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  const vec guess = _mm512_rcp14_ps(d);
  return guess + guess * (real(1) - d * guess);
#else
  return real(1) / d;
#endif
}

CELLDSL_INLINE vec sigmoid(vec x) {
#ifdef CELLDSL_DOUBLE
  return reciprocal(real(1) + exp_core<true>(within(-x, real(-708), real(708))));
#else
  return reciprocal(real(1) + exp_core<true>(within(-x, real(-87), real(87))));
#endif
}

// Near zero x + x^3 P(x^2) with Cephes' P, else 1 - 2 / (e^2|x| + 1) with the sign of x. Where tanh is nearly 1 the error
// stays half a unit in the last place: gradients are made of what it lacks of 1, and a rational function of x, which is
// shorter, is off by several units there.
CELLDSL_INLINE vec tanh(vec x) {
  const vec size = abs(x), z = x * x;
  constexpr real most = sizeof(real) == 4 ? real(40) : real(80);
  const vec far = real(1) - real(2) * reciprocal(exp_core<true>(within(size * real(2), real(0), most)) + real(1));
#ifdef CELLDSL_DOUBLE
  const vec p = (real(-9.64399179425052238628e-1) * z - real(9.92877231001918586564e1)) * z - real(1.61468768441708447952e3);
  const vec q = ((z + real(1.12811678491632931402e2)) * z + real(2.23548839060100448583e3)) * z + real(4.84406305325125486048e3);
  const vec near = x + x * z * (p / q);
#else
  const vec high = real(-5.70498872745e-3) * z + real(2.06390887954e-2);
  const vec low = real(-5.37397155531e-2) * z + real(1.33314422036e-1);
  const vec near = x + x * z * ((high * (z * z) + low) * z + real(-3.33332819422e-1));
#endif
  return where(size < broadcast(real(0.625)), near, signed_as(far, x));
}

// log(2^k (1 + f)), for 1 + f between the roots of 1/2 and of 2: by s = f / (2 + f), as in Sun's fdlibm.
CELLDSL_INLINE vec log_core(vec f, vec k) {
  const vec s = f * reciprocal(f + real(2)), z = s * s, w = z * z, square = real(0.5) * f * f;
#ifdef CELLDSL_DOUBLE
  constexpr real high = 6.93147180369123816490e-01, low = 1.90821492927058770002e-10;
  const vec odd = ((real(1.479819860511658591e-01) * w + real(1.818357216161805012e-01)) * w +
                   real(2.857142874366239149e-01)) * w + real(6.666666666666735130e-01);
  const vec even = (real(1.531383769920937332e-01) * w + real(2.222219843214978396e-01)) * w +
                   real(3.999999999940941908e-01);
#else
  constexpr real high = 6.9313812256e-01f, low = 9.0580006145e-06f;
  const vec odd = real(0.28498786688) * w + real(0.66666662693), even = real(0.24279078841) * w + real(0.40000972152);
#endif
  return k * high - ((square - (s * (square + (odd * z + even * w)) + k * low)) - f);
}

CELLDSL_INLINE vec log(vec x) {
  constexpr int mantissa = std::numeric_limits<real>::digits - 1;
  constexpr real bias = std::numeric_limits<real>::max_exponent - 1, infinity = std::numeric_limits<real>::infinity();
  constexpr real unit = whole(1) << mantissa;  // of which the last place is 1
  typedef std::make_unsigned_t<whole> natural __attribute__((vector_size(BYTES)));
  const ivec root = pattern(broadcast(real(0.70710678118654752440)));
  const mask subnormal = x < broadcast(std::numeric_limits<real>::min());
  // Exponents change at the root of 1/2, so that the mantissas lie around 1.
  const ivec turned = pattern(where(subnormal, x * unit, x)) + (pattern(broadcast(1)) - root);
  const ivec exponent = reinterpret_cast<ivec>(reinterpret_cast<natural>(turned) >> mantissa);
  const vec k = bits(exponent | pattern(broadcast(unit))) - unit -
                where(subnormal, broadcast(bias + mantissa), broadcast(bias));
  const vec f = bits((turned & ((whole(1) << mantissa) - 1)) + root) - real(1);
  const vec none = broadcast(std::numeric_limits<real>::quiet_NaN());
  const vec outside = where(x < vec{}, none, where(x == vec{}, broadcast(-infinity), x));
  return where(between(vec{}, x, broadcast(infinity)), log_core(f, k), outside);
}

// log(1 + y), for y between 0 and 1.
CELLDSL_INLINE vec log1p(vec y) {
  const mask halved = y > broadcast(real(0.41421356237309504880));
  return log_core(where(halved, (y - real(1)) * real(0.5), y), where(halved, broadcast(1), vec{}));
}

// Near zero x P(x^2), far from it 1 - e^-x^2 P(|x|), with Cephes' rational functions; in single precision far from zero
// 1 - e^P(|x|), which needs no division, with the polynomials of N. Juffa's my_erff.
CELLDSL_INLINE vec erf(vec x) {
  const vec size = abs(x), z = x * x;
#ifdef CELLDSL_DOUBLE
  const mask near = size < broadcast(1);
  const vec a = within(size, 1, 6);
  const vec t = (((real(9.60497373987051638749e0) * z + real(9.00260197203842689217e1)) * z +
                  real(2.23200534594684319226e3)) * z + real(7.00332514112805075473e3)) * z + real(5.55923013010394962768e4);
  const vec u = ((((z + real(3.35617141647503099647e1)) * z + real(5.21357949780152679795e2)) * z +
                  real(4.59432382970980127987e3)) * z + real(2.26290000613890934246e4)) * z + real(4.92673942608635921086e4);
  const vec p = (((((((real(2.46196981473530512524e-10) * a + real(5.64189564831068821977e-1)) * a +
                      real(7.46321056442269912687e0)) * a + real(4.86371970985681366614e1)) * a +
                    real(1.96520832956077098242e2)) * a + real(5.26445194995477358631e2)) * a +
                  real(9.34528527171957607540e2)) * a + real(1.02755188689515710272e3)) * a +
                real(5.57535335369399327526e2);
  const vec q = (((((((a + real(1.32281951154744992508e1)) * a + real(8.67072140885989742329e1)) * a +
                     real(3.54937778887819891062e2)) * a + real(9.75708501743205489753e2)) * a +
                   real(1.82390916687909736289e3)) * a + real(2.24633760818710981792e3)) * a +
                 real(1.65666309194161350182e3)) * a + real(5.57535340817727675546e2);
  const vec part = where(near, x * t, exp_core<true>(-a * a) * p) / where(near, u, q);
  return where(near, part, signed_as(real(1) - part, x));
#else
  const vec low = ((((real(-5.96761703e-4) * z + real(4.99119423e-3)) * z + real(-2.67681349e-2)) * z +
                    real(1.12819925e-1)) * z + real(-3.76125336e-1)) * z + real(1.28379166e-1);
  const vec a = within(size, 0, 4);
  const vec high = (((((real(-1.72853470e-5) * a + real(3.83197126e-4)) * (a * a) +
                       (real(-3.88396438e-3) * a + real(2.42546219e-2))) * a + real(-1.06777877e-1)) * a +
                     real(-6.34846687e-1)) * a + real(-1.28717512e-1)) * a - a;
  return where(size < broadcast(real(0.927734375)), low * x + x, signed_as(real(1) - exp_core<true>(high), x));
#endif
}

CELLDSL_INLINE vec sign(vec x) {
  return where(x > vec{}, broadcast(1), where(x < vec{}, broadcast(-1), vec{}));
}
CELLDSL_INLINE vec max(vec a, vec b) { return where(a != a, a, where(a >= b, a, b)); }
CELLDSL_INLINE vec min(vec a, vec b) { return where(a != a, a, where(a <= b, a, b)); }
CELLDSL_INLINE vec clamp(vec x, vec low, vec high) { return min(max(x, low), high); }
CELLDSL_INLINE vec relu(vec x) { return where(x < vec{}, vec{}, x); }
CELLDSL_INLINE vec hard_sigmoid(vec x) { return within(x + real(3), real(0), real(6)) / real(6); }
CELLDSL_INLINE vec hard_tanh(vec x) { return within(x, real(-1), real(1)); }
CELLDSL_INLINE vec softsign(vec x) { return x / (real(1) + abs(x)); }
CELLDSL_INLINE vec silu(vec x) { return x * sigmoid(x); }
CELLDSL_INLINE vec leaky_relu(vec x) { return where(x > vec{}, x, real(0.01) * x); }
CELLDSL_INLINE vec sin(vec x) { return lanewise([](real a) { return std::sin(a); }, x); }
CELLDSL_INLINE vec cos(vec x) { return lanewise([](real a) { return std::cos(a); }, x); }
CELLDSL_INLINE vec sqrt(vec x) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  return _mm512_sqrt_ps(x);
#elif defined(__AVX512F__)
  return _mm512_sqrt_pd(x);
#elif defined(__AVX2__) && !defined(CELLDSL_DOUBLE)
  return _mm256_sqrt_ps(x);
#elif defined(__AVX2__)
  return _mm256_sqrt_pd(x);
#else
  return lanewise([](real a) { return std::sqrt(a); }, x);
#endif
}
CELLDSL_INLINE vec floor(vec x) {
#if defined(__AVX512F__) && !defined(CELLDSL_DOUBLE)
  return _mm512_roundscale_ps(x, 9);
#elif defined(__AVX512F__)
  return _mm512_roundscale_pd(x, 9);
#elif defined(__AVX2__) && !defined(CELLDSL_DOUBLE)
  return _mm256_round_ps(x, 9);
#elif defined(__AVX2__)
  return _mm256_round_pd(x, 9);
#else
  return lanewise([](real a) { return std::floor(a); }, x);
#endif
}
CELLDSL_INLINE vec softplus(vec x) { return max(x, vec{}) + log1p(exp(-abs(x))); }
CELLDSL_INLINE vec log_sigmoid(vec x) { return -softplus(-x); }
CELLDSL_INLINE vec gelu(vec x) { return x * (real(1) + erf(x * real(0.70710678118654752440))) / real(2); }
// e^x - 1 is 2^k (e^r - 1) + (2^k - 1), and -1 where 2^k would be subnormal.
CELLDSL_INLINE vec elu(vec x) {
  const vec a = within(x, sizeof(real) == 4 ? real(-87) : real(-708), real(0)), k = halvings(a);
  const vec power = scaled_within(broadcast(1), k);
  return where(x < vec{}, power * expm1_rest(a, k) + (power - real(1)), x);
}
CELLDSL_INLINE vec power(vec a, vec b) {
  for (int lane = 0; lane < LANES; ++lane) a[lane] = std::pow(a[lane], b[lane]);
  return a;
}
template <int exponent>
CELLDSL_INLINE vec raised(vec a) {
  if constexpr (exponent == 1) return a;
  else if constexpr (exponent % 2) return a * raised<exponent - 1>(a);
  else return raised<exponent / 2>(a * a);
}

// --- along a row: the whole vector of one row is in memory ---------------------------------
//
// Rows begin anywhere, and nothing stands behind them: what fills no vector is read and written in part. Sums are of
// many partial sums, so they differ from those of a loop over entries by rounding. A result may take its operand's place.

namespace along {
// Whether a lane is among the first `count`.
CELLDSL_INLINE mask among(int count) {
  static const real number[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return load(number) < broadcast(real(count));
}
// Calls each(part, j, count) for all vectors of a row, from entry j on; part is true of the last one if it is not full.
template <class Each>
CELLDSL_INLINE void vectors(int64_t n, Each each) {
  int64_t j = 0;
  for (; j + LANES <= n; j += LANES) each(std::false_type{}, j, LANES);
  if (j < n) each(std::true_type{}, j, static_cast<int>(n - j));
}
// The sum of a vector's lanes: halves onto each other.
CELLDSL_INLINE real total(vec v) {
  real lane[LANES];
  std::memcpy(lane, &v, sizeof v);
#pragma GCC unroll 8
  for (int half = LANES / 2; half; half /= 2)
#pragma GCC unroll 8
    for (int j = 0; j < half; ++j) lane[j] += lane[j + half];
  return lane[0];
}
// The sum of term(part, j, count) over all vectors of a row; terms are zero in lanes that are not among the count.
template <class Term>
CELLDSL_INLINE real summed(int64_t n, Term term) {
  constexpr std::false_type full{};
  vec even{}, odd{};  // one sum alone would wait for its own additions
  int64_t j = 0;
  for (; j + 2 * LANES <= n; j += 2 * LANES) {
    even += term(full, j, LANES);
    odd += term(full, j + LANES, LANES);
  }
  if (j + LANES <= n) {
    even += term(full, j, LANES);
    j += LANES;
  }
  if (j < n) odd += term(std::true_type{}, j, static_cast<int>(n - j));
  return total(even + odd);
}

inline real sum(const real* a, int64_t n) {
  return summed(n, [&](auto part, int64_t j, int count) { return get<part.value>(a + j, count); });
}
inline real mean(const real* a, int64_t n) { return sum(a, n) / real(n); }
inline real dot(const real* a, const real* b, int64_t n) {
  return summed(n, [&](auto part, int64_t j, int count) {
    return get<part.value>(a + j, count) * get<part.value>(b + j, count);
  });
}
inline real norm(const real* a, int64_t n) { return std::sqrt(dot(a, a, n)); }
inline void softmax(const real* a, real* out, int64_t n) {
  vec most = broadcast(a[0]);
  vectors(n, [&](auto part, int64_t j, int count) {
    const vec x = get<part.value>(a + j, count);
    most = max(most, part.value ? where(among(count), x, most) : x);
  });
  real top = most[0];
  for (int lane = 1; lane < LANES; ++lane) top = !(most[lane] <= top) ? most[lane] : top;  // NaN stays
  const real scale = real(1) / summed(n, [&](auto part, int64_t j, int count) {
    const vec power = exp(get<part.value>(a + j, count) - top);
    put<part.value>(out + j, power, count);
    return part.value ? where(among(count), power, vec{}) : power;
  });
  vectors(n, [&](auto part, int64_t j, int count) {
    put<part.value>(out + j, get<part.value>(out + j, count) * scale, count);
  });
}
inline void cumsum(const real* a, real* out, int64_t n) {
  real total = 0;
  for (int64_t j = 0; j < n; ++j) out[j] = total += a[j];
}
inline void reverse_cumsum(const real* a, real* out, int64_t n) {
  real total = 0;
  for (int64_t j = n; j-- > 0;) out[j] = total += a[j];
}
inline void cumax(const real* a, real* out, int64_t n) {
  softmax(a, out, n);
  cumsum(out, out, n);
}
// Every entry of n `times` times, one behind the other; and the other way, the sums of each `times` entries, n of them.
inline void repeat(const real* a, real* out, int64_t n, int64_t times) {
  for (int64_t j = 0; j < n; ++j) std::fill(out + j * times, out + (j + 1) * times, a[j]);
}
inline void block_sums(const real* a, real* out, int64_t n, int64_t times) {
  for (int64_t j = 0; j < n; ++j) out[j] = sum(a + j * times, times);
}
// (a - middle) over the root of the mean square of that.
CELLDSL_INLINE void normalized(const real* a, real* out, int64_t n, real middle) {
  const real squares = summed(n, [&](auto part, int64_t j, int count) {
    vec x = get<part.value>(a + j, count) - middle;
    if (part.value) x = where(among(count), x, vec{});
    return x * x;
  });
  const real scale = real(1) / std::sqrt(squares / real(n) + real(1e-5));
  vectors(n, [&](auto part, int64_t j, int count) {
    put<part.value>(out + j, (get<part.value>(a + j, count) - middle) * scale, count);
  });
}
inline void rmsnorm(const real* a, real* out, int64_t n) { normalized(a, out, n, 0); }
inline void layernorm(const real* a, real* out, int64_t n) { normalized(a, out, n, mean(a, n)); }
}  // namespace along

// --- memory --------------------------------------------------------------------------------

// The rows of a matrix: row r begins at p + r * stride. Stride 0: one row for all.
struct Rows {
  real* p = nullptr;
  int64_t stride = 0;
  real* operator[](int64_t r) const { return p + r * stride; }
};

inline int64_t up(int64_t a, int64_t to) { return (a + to - 1) / to * to; }
inline int64_t parts_of(int64_t a, int64_t size) { return (a + size - 1) / size; }

// A thread's own memory, kept between calls: memory handed back is mapped anew, page by page, at every call.
class Arena {
 public:
  ~Arena() { std::free(memory); }
  void open(int64_t reals) {
    const size_t bytes = static_cast<size_t>(up(reals * static_cast<int64_t>(sizeof(real)) + 4 * BYTES, 64));
    if (bytes > size) {
      std::free(memory);
      memory = nullptr;
      size = 0;
      if (posix_memalign(&memory, 64, bytes) != 0) throw std::bad_alloc();
      size = bytes;
    }
    next = static_cast<real*>(memory);
#ifdef CELLDSL_POISON
    std::memset(memory, 0xff, size);  // NaN everywhere: nothing may be read before it is written
#endif
  }
  real* take(int64_t reals) {
    real* taken = next;
    next += up(reals, LANES);
    return taken;
  }

 private:
  void* memory = nullptr;
  size_t size = 0;
  real* next = nullptr;
};

// --- threads -------------------------------------------------------------------------------

// A barrier that lets go of its processor when it must wait long: another process may need it.
class Barrier {
 public:
  // Every thread says how many there are before its first wait.
  void open(int threads) { count.store(threads, std::memory_order_relaxed); }
  void wait() {
    if (count.load(std::memory_order_relaxed) == 1) return;
    const int turn = round.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) == count.load(std::memory_order_relaxed) - 1) {
      arrived.store(0, std::memory_order_relaxed);
      round.store(turn + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round.load(std::memory_order_acquire) == turn; ++spins) {
      if (spins > 4000) std::this_thread::yield();
#if defined(__x86_64__) || defined(__i386__)
      else __builtin_ia32_pause();
#endif
    }
  }

 private:
  std::atomic<int> count{1}, arrived{0};
  alignas(64) std::atomic<int> round{0};
};

template <class Body>
inline void on_threads(int threads, Body body) {
#ifdef _OPENMP
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    body(omp_get_thread_num(), omp_get_num_threads());
    return;
  }
#endif
  (void)threads;
  body(0, 1);
}

}  // namespace celldsl
