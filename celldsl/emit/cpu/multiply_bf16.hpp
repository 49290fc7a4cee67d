// Products of bfloat16 with sums in float, by the processor's tiles (AMX): a tile of 16 rows of 32 entries of the
// operand, times one of 16 pairs of entries for 16 columns, adds to one of 16 x 16 sums. With -DCELLDSL_EMULATE_TILES
// the same by plain loops, for processors that have none.
#if !defined(CELLDSL_EMULATE_TILES) && !defined(__AMX_BF16__)
#error "this compiler or processor has no AMX for bfloat16"
#endif
#ifdef CELLDSL_DOUBLE
#error "products in bfloat16 have sums in float"
#endif

namespace celldsl {

typedef uint16_t bf16;
typedef uint16_t bf16s __attribute__((vector_size(LANES * 2)));
typedef uint32_t patterns __attribute__((vector_size(BYTES)));

// To the nearest, ties to even, as torch rounds; NaN stays NaN.
inline bf16 narrow(real x) {
  uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  if (x != x) return static_cast<bf16>(u >> 16 | 64);
  return static_cast<bf16>((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
inline void narrow(const real* from, bf16* to, int64_t count) {
  int64_t j = 0;
  for (; j + LANES <= count; j += LANES) {
    const vec x = load(from + j);
    patterns u;
    std::memcpy(&u, &x, sizeof u);
    const patterns rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    const bf16s found = __builtin_convertvector(x == x ? rounded : (u >> 16 | 64), bf16s);
    std::memcpy(to + j, &found, sizeof found);
  }
  for (; j < count; ++j) to[j] = narrow(from[j]);
}

// --- tiles ---------------------------------------------------------------------------------

#ifdef CELLDSL_EMULATE_TILES
struct Unit {};
struct EmulatedTile {
  alignas(64) unsigned char row[16][64];
};
inline EmulatedTile* emulated() {
  static thread_local EmulatedTile tiles[8];
  return tiles;
}
inline void emulated_load(int t, const void* p, int64_t stride) {
  for (int r = 0; r < 16; ++r) std::memcpy(emulated()[t].row[r], static_cast<const char*>(p) + r * stride, 64);
}
inline void emulated_store(int t, void* p, int64_t stride) {
  for (int r = 0; r < 16; ++r) std::memcpy(static_cast<char*>(p) + r * stride, emulated()[t].row[r], 64);
}
inline float widened(const unsigned char* p) {
  uint16_t half;
  std::memcpy(&half, p, sizeof half);
  const uint32_t u = static_cast<uint32_t>(half) << 16;
  float x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}
inline void emulated_dot(int c, int a, int b) {
  EmulatedTile* t = emulated();
  for (int r = 0; r < 16; ++r)
    for (int column = 0; column < 16; ++column) {
      float sum;
      std::memcpy(&sum, t[c].row[r] + 4 * column, 4);
      float even = 0, odd = 0;  // as the processor: apart, then together
      for (int k = 0; k < 16; ++k) {
        even += widened(t[a].row[r] + 4 * k) * widened(t[b].row[k] + 4 * column);
        odd += widened(t[a].row[r] + 4 * k + 2) * widened(t[b].row[k] + 4 * column + 2);
      }
      sum += even + odd;
      std::memcpy(t[c].row[r] + 4 * column, &sum, 4);
    }
}
#define CELLDSL_TILE_ZERO(t) std::memset(emulated() + (t), 0, sizeof(EmulatedTile))
#define CELLDSL_TILE_LOAD(t, p, stride) emulated_load(t, p, stride)
#define CELLDSL_TILE_STORE(t, p, stride) emulated_store(t, p, stride)
#define CELLDSL_TILE_DOT(c, a, b) emulated_dot(c, a, b)
#else
// Tiles are set up on a thread while it computes, and left as they were: other libraries use them too.
struct Unit {
  alignas(64) unsigned char before[64], ours[64];
  Unit() : before{}, ours{} {
    _tile_storeconfig(before);
    ours[0] = 1;  // the palette
    for (int t = 0; t < 8; ++t) {
      ours[16 + 2 * t] = 64;  // bytes of a row
      ours[48 + t] = 16;      // rows
    }
    _tile_loadconfig(ours);
  }
  ~Unit() {
    if (before[0]) _tile_loadconfig(before);
    else _tile_release();
  }
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;
};
#define CELLDSL_TILE_ZERO(t) _tile_zero(t)
#define CELLDSL_TILE_LOAD(t, p, stride) _tile_loadd(t, p, stride)
#define CELLDSL_TILE_STORE(t, p, stride) _tile_stored(t, p, stride)
#define CELLDSL_TILE_DOT(c, a, b) _tile_dpbf16ps(c, a, b)
#endif

// Sums of 16 * high rows and 16 * wide columns. a: rows of `depth` entries; b: columns by sixteens, `depth` entries each,
// in pairs. adds: to what is in `out`, else from zero.
template <int high, int wide>
inline void tiles(const bf16* a, int64_t depth, const bf16* b, real* out, int64_t stride, bool adds) {
  constexpr bool both = high > 1 && wide > 1;
  const int64_t row = depth * 2, line = stride * 4;
  if (adds) {
    CELLDSL_TILE_LOAD(0, out, line);
    if constexpr (wide > 1) CELLDSL_TILE_LOAD(1, out + 16, line);
    if constexpr (high > 1) CELLDSL_TILE_LOAD(2, out + 16 * stride, line);
    if constexpr (both) CELLDSL_TILE_LOAD(3, out + 16 * stride + 16, line);
  } else {
    CELLDSL_TILE_ZERO(0);
    if constexpr (wide > 1) CELLDSL_TILE_ZERO(1);
    if constexpr (high > 1) CELLDSL_TILE_ZERO(2);
    if constexpr (both) CELLDSL_TILE_ZERO(3);
  }
  for (int64_t k = 0; k < depth; k += 32) {
    CELLDSL_TILE_LOAD(4, a + k, row);
    if constexpr (high > 1) CELLDSL_TILE_LOAD(5, a + 16 * depth + k, row);
    CELLDSL_TILE_LOAD(6, b + 16 * k, 64);
    if constexpr (wide > 1) CELLDSL_TILE_LOAD(7, b + 16 * depth + 16 * k, 64);
    CELLDSL_TILE_DOT(0, 4, 6);
    if constexpr (wide > 1) CELLDSL_TILE_DOT(1, 4, 7);
    if constexpr (high > 1) CELLDSL_TILE_DOT(2, 5, 6);
    if constexpr (both) CELLDSL_TILE_DOT(3, 5, 7);
  }
  CELLDSL_TILE_STORE(0, out, line);
  if constexpr (wide > 1) CELLDSL_TILE_STORE(1, out + 16, line);
  if constexpr (high > 1) CELLDSL_TILE_STORE(2, out + 16 * stride, line);
  if constexpr (both) CELLDSL_TILE_STORE(3, out + 16 * stride + 16, line);
}

// The same for any numbers of sixteens.
inline void tile_block(
    const bf16* a, int64_t high, int64_t depth, const bf16* b, int64_t wide, real* out, int64_t stride, bool adds) {
  for (int64_t c = 0; c < wide; c += 2)
    for (int64_t r = 0; r < high; r += 2) {
      const bf16 *rows = a + 16 * r * depth, *columns = b + 16 * c * depth;
      real* to = out + 16 * r * stride + 16 * c;
      const bool two_rows = r + 1 < high, two_columns = c + 1 < wide;
      if (two_rows && two_columns) tiles<2, 2>(rows, depth, columns, to, stride, adds);
      else if (two_rows) tiles<2, 1>(rows, depth, columns, to, stride, adds);
      else if (two_columns) tiles<1, 2>(rows, depth, columns, to, stride, adds);
      else tiles<1, 1>(rows, depth, columns, to, stride, adds);
    }
}

// --- products ------------------------------------------------------------------------------

inline bf16* packed_block(const Product& product, int64_t b) {
  return reinterpret_cast<bf16*>(product.packed) + b * product.vectors() * LANES * up(product.depth, DEPTH_STEP);
}

// Entry k of a column of tiles that are `depth` deep.
inline bf16* entry(bf16* tiles_, int64_t depth, int64_t column, int64_t k) {
  return tiles_ + column / 16 * 16 * depth + k / 2 * 32 + column % 16 * 2 + k % 2;
}

inline void pack(const Product& product, int64_t b) {
  const int64_t lanes = product.block_lanes(b), columns = product.gates * lanes, depth = up(product.depth, DEPTH_STEP);
  bf16* out = packed_block(product, b);
  std::fill(out, out + up(columns, 16) * depth, bf16(0));
  for (int64_t column = 0; column < columns; ++column) {
    const int64_t gate = column / lanes, lane = column % lanes;
    int64_t k0 = 0;
    for (int s = 0; s < product.segments; ++s) {
      const Matrix& m = product.matrix[gate][s];
      const int64_t cut = product.cut(s, b), before = cut * (product.lanes.count / product.cuts[s]);
      const real* from = m.p + cut * m.next + (product.lanes.first(b) - before + lane) * m.down;
      for (int64_t k = 0; k < product.length[s]; ++k) *entry(out, depth, column, k0 + k) = narrow(from[k * m.across]);
      k0 += product.length[s];
    }
  }
}

// Reals for the operands of `rows` rows in bfloat16.
inline int64_t narrow_reals(const Product& product, int64_t rows) {
  return up(rows, ROW_STEP) * up(product.depth, DEPTH_STEP) / PER_REAL;
}

// The results of block b for `rows` rows: out[row * product.stride() + gate * lanes + lane]. narrowed: room for the
// operands; fresh: they are not there yet.
inline void multiply(const Product& product, int64_t b, const Rows* operands, int64_t rows, real* out, real* narrowed, bool fresh) {
  const int64_t depth = up(product.depth, DEPTH_STEP), high = parts_of(rows, 16);
  bf16* a = reinterpret_cast<bf16*>(narrowed);
  for (int s = 0; s < product.segments; ++s) fresh = fresh || product.cuts[s] != 1;
  if (fresh) {
    for (int64_t r = 0; r < rows; ++r) {
      bf16* to = a + r * depth;
      for (int s = 0; s < product.segments; to += product.length[s++])
        narrow(operands[s][r] + product.cut(s, b) * product.length[s], to, product.length[s]);
      std::fill(to, a + (r + 1) * depth, bf16(0));
    }
    std::fill(a + rows * depth, a + 16 * high * depth, bf16(0));
  }
  const int64_t wide = parts_of(product.gates * product.block_lanes(b), 16);
  tile_block(a, high, depth, packed_block(product, b), wide, out, product.stride(), false);
}

// --- weight gradients ----------------------------------------------------------------------

// Room for operand and cotangents of so many rows.
inline int64_t outer_reals(int64_t rows, int64_t operand, int64_t columns) {
  return up(rows, 32) * (up(operand, 16) + up(columns, VECTORS * LANES)) / PER_REAL;
}

// packed: such room.
template <class Step>
inline void gather_weight(real* out, real* packed, int64_t operand, int64_t columns, int64_t t0, int64_t t1, const Step& step) {
  constexpr int64_t width = VECTORS * LANES;
  static_assert(width % 16 == 0, "panels are whole tiles");
  int64_t rows = 0;
  for (int64_t t = t0; t < t1; ++t) rows += step(t).rows;
  const int64_t depth = up(rows, 32), high = up(operand, 16);
  bf16 *a = reinterpret_cast<bf16*>(packed), *b = a + high * depth;
  std::fill(a, b + up(columns, width) * depth, bf16(0));
  int64_t k = 0;
  for (int64_t t = t0; t < t1; ++t) {
    const Outer now = step(t);
    for (int64_t r = 0; r < now.rows; ++r, ++k) {
      const real *x = now.operand[r], *g = now.cotangent[r];
      for (int64_t i = 0; i < operand; ++i) a[i * depth + k] = narrow(x[i]);
      for (int64_t j = 0; j < columns; ++j) *entry(b, depth, j, k) = narrow(g[j]);
    }
  }
  for (int64_t column = 0; column < columns; column += width) {
    const int64_t wide = parts_of(std::min(width, columns - column), 16);
    tile_block(a, high / 16, depth, b + column * depth, wide, out + column * high, width, true);
  }
}

}  // namespace celldsl
