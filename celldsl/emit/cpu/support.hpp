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
// float: exp, sigmoid, tanh 3; double: exp 2, sigmoid 4, tanh 4. What has no loop of its own here calls libm on each lane.

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
// fewer multiply-adds wait for each other. tame: the result is neither subnormal nor infinite.
template <bool tame = false>
CELLDSL_INLINE vec exp_core(vec x) {
  const vec k = nearest(x * real(1.44269504088896340736));
#ifdef CELLDSL_DOUBLE
  vec r = x - k * real(6.93145751953125e-1);
  r = r - k * real(1.42860682030941723212e-6);
  const vec rr = r * r;
  const vec p = r * ((real(1.26177193074810590878e-4) * rr + real(3.02994407707441961300e-2)) * rr + real(1));
  const vec q = ((real(3.00198505138664455042e-6) * rr + real(2.52448340349684104192e-3)) * rr +
                 real(2.27265548208155028766e-1)) * rr + real(2);
  const vec power = real(1) + real(2) * (p / (q - p));
#else
  vec r = x - k * real(0.693359375);
  r = r - k * real(-2.12194440e-4);
  const vec rr = r * r;
  const vec high = real(1.9875691500e-4) * r + real(1.3981999507e-3);
  const vec middle = real(8.3334519073e-3) * r + real(4.1665795894e-2);
  const vec low = real(1.6666665459e-1) * r + real(5.0000001201e-1);
  const vec power = ((high * rr + middle) * rr + low) * rr + r + real(1);
#endif
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
  constexpr whole sign = std::numeric_limits<whole>::min();
  ivec pattern;
  std::memcpy(&pattern, &x, sizeof x);
  const vec size = bits(pattern & ~sign), z = x * x;
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
  ivec turned;
  std::memcpy(&turned, &far, sizeof far);
  return where(size < broadcast(real(0.625)), near, bits(turned | (pattern & sign)));
}

CELLDSL_INLINE vec abs(vec x) { return where(x < vec{}, -x, where(x == vec{}, vec{}, x)); }
CELLDSL_INLINE vec sign(vec x) {
  return where(x > vec{}, broadcast(1), where(x < vec{}, broadcast(-1), vec{}));
}
CELLDSL_INLINE vec max(vec a, vec b) { return where(a != a, a, where(a < b, b, where(b != b, b, a))); }
CELLDSL_INLINE vec min(vec a, vec b) { return where(a != a, a, where(b < a, b, where(b != b, b, a))); }
CELLDSL_INLINE vec clamp(vec x, vec low, vec high) { return min(max(x, low), high); }
CELLDSL_INLINE vec relu(vec x) { return where(x < vec{}, vec{}, x); }
CELLDSL_INLINE vec hard_sigmoid(vec x) { return within(x + real(3), real(0), real(6)) / real(6); }
CELLDSL_INLINE vec hard_tanh(vec x) { return within(x, real(-1), real(1)); }
CELLDSL_INLINE vec softsign(vec x) { return x / (real(1) + abs(x)); }
CELLDSL_INLINE vec silu(vec x) { return x * sigmoid(x); }
CELLDSL_INLINE vec leaky_relu(vec x) { return where(x > vec{}, x, real(0.01) * x); }
CELLDSL_INLINE vec log(vec x) { return lanewise([](real a) { return std::log(a); }, x); }
CELLDSL_INLINE vec log1p(vec x) { return lanewise([](real a) { return std::log1p(a); }, x); }
CELLDSL_INLINE vec erf(vec x) { return lanewise([](real a) { return std::erf(a); }, x); }
CELLDSL_INLINE vec sin(vec x) { return lanewise([](real a) { return std::sin(a); }, x); }
CELLDSL_INLINE vec cos(vec x) { return lanewise([](real a) { return std::cos(a); }, x); }
CELLDSL_INLINE vec sqrt(vec x) { return lanewise([](real a) { return std::sqrt(a); }, x); }
CELLDSL_INLINE vec floor(vec x) { return lanewise([](real a) { return std::floor(a); }, x); }
CELLDSL_INLINE vec softplus(vec x) { return max(x, vec{}) + log1p(exp(-abs(x))); }
CELLDSL_INLINE vec log_sigmoid(vec x) { return -softplus(-x); }
CELLDSL_INLINE vec gelu(vec x) { return x * (real(1) + erf(x * real(0.70710678118654752440))) / real(2); }
CELLDSL_INLINE vec elu(vec x) {
  return where(x > vec{}, x, lanewise([](real a) { return std::expm1(a); }, where(x > vec{}, vec{}, x)));
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

namespace along {
inline real sum(const real* a, int64_t n) {
  real total = 0;
  for (int64_t j = 0; j < n; ++j) total += a[j];
  return total;
}
inline real mean(const real* a, int64_t n) { return sum(a, n) / real(n); }
inline real dot(const real* a, const real* b, int64_t n) {
  real total = 0;
  for (int64_t j = 0; j < n; ++j) total += a[j] * b[j];
  return total;
}
inline real norm(const real* a, int64_t n) { return std::sqrt(dot(a, a, n)); }
inline void softmax(const real* a, real* out, int64_t n) {
  real most = a[0], total = 0;
  for (int64_t j = 1; j < n; ++j) most = !(a[j] <= most) ? a[j] : most;  // NaN stays
  for (int64_t j = 0; j < n; ++j) total += out[j] = std::exp(a[j] - most);
  for (int64_t j = 0; j < n; ++j) out[j] /= total;
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
inline void rmsnorm(const real* a, real* out, int64_t n) {
  const real scale = std::sqrt(dot(a, a, n) / real(n) + real(1e-5));
  for (int64_t j = 0; j < n; ++j) out[j] = a[j] / scale;
}
inline void layernorm(const real* a, real* out, int64_t n) {
  const real middle = mean(a, n);
  for (int64_t j = 0; j < n; ++j) out[j] = a[j] - middle;
  rmsnorm(out, out, n);
}
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
