// Products in the precision of the operands: panels of packed weights, register-blocked sums.
namespace celldsl {

// Nothing is to be set up on a thread.
struct Unit {};

// How many of the vectors from v on make a panel: as few panels as can be, as equally wide as can be. A narrow one has
// too few sums to keep the multiply-adds busy.
inline int panel_width(int64_t v, int64_t vectors) {
  return static_cast<int>(parts_of(vectors - v, parts_of(vectors - v, VECTORS)));
}

inline void pack(const Product& product, int64_t b) {
  const int64_t lanes = product.block_lanes(b), columns = product.gates * lanes, vectors = parts_of(columns, LANES);
  real* out = product.packed + b * product.vectors() * LANES * product.depth;
  for (int64_t v = 0, width; v < vectors; v += width / LANES) {
    width = panel_width(v, vectors) * LANES;
    for (int64_t at = 0; at < width;) {
      const int64_t column = v * LANES + at;
      if (column >= columns) {
        for (int64_t k = 0; k < product.depth; ++k) std::fill(out + k * width + at, out + (k + 1) * width, real(0));
        break;
      }
      const int64_t gate = column / lanes, lane = column % lanes, run = std::min(lanes - lane, width - at);
      int64_t k0 = 0;
      for (int s = 0; s < product.segments; ++s) {
        const Matrix& m = product.matrix[gate][s];
        const int64_t cut = product.cut(s, b), before = cut * (product.lanes.count / product.cuts[s]);
        const real* from = m.p + cut * m.next + (product.lanes.first(b) - before + lane) * m.down;
        const int64_t length = product.length[s];
        if (m.down == 1) {
          for (int64_t k = 0; k < length; ++k)
            std::memcpy(out + (k0 + k) * width + at, from + k * m.across, static_cast<size_t>(run) * sizeof(real));
        } else {
          for (int64_t k = 0; k < length; k += 16)  // a tile at a time: reads run along rows, writes along columns
            for (int64_t j = 0; j < run; ++j)
              for (int64_t kk = k; kk < std::min(k + 16, length); ++kk)
                out[(k0 + kk) * width + at + j] = from[j * m.down + kk * m.across];
        }
        k0 += length;
      }
      at += run;
    }
    out += width * product.depth;
  }
}

struct Piece {
  const real* p;
  int64_t stride, length;
};

template <int rows, int vectors>
CELLDSL_INLINE void tile(const Piece* pieces, int count, int64_t row, const real* panel, real* out, int64_t stride, bool first) {
  vec sum[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[r][v] = first ? vec{} : load(out + r * stride + v * LANES);
  // A few sums alone would wait for each other's multiply-adds: entries of even and odd k are then summed apart.
  constexpr int ways = rows * vectors < 8 ? 2 : 1;
  vec more[rows][vectors]{};
  for (int piece = 0; piece < count; ++piece) {
    const int64_t step = pieces[piece].stride, length = pieces[piece].length;
    const real* a = pieces[piece].p + row * step;
    int64_t k = 0;
    if constexpr (ways == 2)
      for (; k + 2 <= length; k += 2, panel += 2 * vectors * LANES) {
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
          const vec x = broadcast(a[r * step + k]), y = broadcast(a[r * step + k + 1]);
#pragma GCC unroll 8
          for (int v = 0; v < vectors; ++v) {
            sum[r][v] += load(panel + v * LANES) * x;
            more[r][v] += load(panel + (vectors + v) * LANES) * y;
          }
        }
      }
    for (; k < length; ++k, panel += vectors * LANES) {
      vec w[vectors];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) w[v] = load(panel + v * LANES);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const vec x = broadcast(a[r * step + k]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sum[r][v] += w[v] * x;
      }
    }
  }
  if constexpr (ways == 2)
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[r][v] += more[r][v];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(out + r * stride + v * LANES, sum[r][v]);
}

using Tile = void (*)(const Piece*, int, int64_t, const real*, real*, int64_t, bool);
template <int rows, int vectors>
void tile_function(const Piece* pieces, int count, int64_t row, const real* panel, real* out, int64_t stride, bool first) {
  tile<rows, vectors>(pieces, count, row, panel, out, stride, first);
}
template <int vectors>
inline Tile tile_of(int64_t rows) {
  static const Tile table[] = {tile_function<1, vectors>, tile_function<2, vectors>, tile_function<3, vectors>,
                               tile_function<4, vectors>, tile_function<5, vectors>, tile_function<6, vectors>};
  static_assert(ROWS == 6, "one entry for each number of rows");
  return table[rows - 1];
}
inline Tile tile_for(int64_t rows, int64_t vectors) {
  if constexpr (VECTORS == 4) {
    if (vectors == 4) return tile_of<4>(rows);
    if (vectors == 3) return tile_of<3>(rows);
  }
  return vectors == 2 ? tile_of<2>(rows) : tile_of<1>(rows);
}

constexpr int64_t DEPTH = 192;  // of a panel that stays in the first-level cache

// The results of block b for `rows` rows: out[row * product.stride() + gate * lanes + lane].
inline void multiply(const Product& product, int64_t b, const Rows* operands, int64_t rows, real* out) {
  const int64_t vectors = parts_of(product.gates * product.block_lanes(b), LANES), stride = product.stride();
  const real* panel = product.packed + b * product.vectors() * LANES * product.depth;
  const int64_t tiles = parts_of(rows, ROWS);
  const int64_t slices = std::max<int64_t>(1, (product.depth + DEPTH / 2) / DEPTH), slice = parts_of(product.depth, slices);
  for (int64_t v = 0, width; v < vectors; v += width) {
    width = panel_width(v, vectors);
    int segment = 0;
    int64_t done = 0;  // of that segment
    for (int64_t k = 0; k < product.depth; k += slice) {
      Piece pieces[MOST_SEGMENTS];
      int count = 0;
      for (int64_t left = std::min(slice, product.depth - k); left > 0;) {
        const int64_t length = std::min(left, product.length[segment] - done);
        const real* operand = operands[segment].p + product.cut(segment, b) * product.length[segment];
        pieces[count++] = {operand + done, operands[segment].stride, length};
        left -= length;
        done += length;
        if (done == product.length[segment]) ++segment, done = 0;
      }
      for (int64_t at = 0, row = 0; at < tiles; ++at) {
        const int64_t height = (rows - row + tiles - at - 1) / (tiles - at);
        tile_for(height, width)(pieces, count, row, panel + k * width * LANES, out + row * stride + v * LANES, stride, k == 0);
        row += height;
      }
    }
    panel += width * LANES * product.depth;
  }
}

// --- weight gradients ----------------------------------------------------------------------

constexpr int HIGH = 6;  // entries of the operand in a tile

// The operand's rows of these steps, the last step first, HIGH entries of all rows together: read once for each panel of
// columns, they stream, where rows that lie far apart would be looked for one by one.
inline void pack_operand(real* to, int64_t operand, const Outer* steps, int64_t count) {
  for (int64_t from = 0; from < operand; from += HIGH) {
    const int64_t high = std::min<int64_t>(HIGH, operand - from);
    for (int64_t t = count; t-- > 0;) {
      const real* a = steps[t].operand.p + from;
      for (int64_t r = 0; r < steps[t].rows; ++r, a += steps[t].operand.stride, to += high) {
        if (high == HIGH)
          for (int i = 0; i < HIGH; ++i) to[i] = a[i];
        else
          for (int64_t i = 0; i < high; ++i) to[i] = a[i];
      }
    }
  }
}

template <int high, int vectors>
CELLDSL_INLINE void outer_tile(real* out, int64_t column, const real* a, const Outer* steps, int64_t count) {
  constexpr int width = VECTORS * LANES;
  vec sum[high][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < high; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[i][v] = load(out + i * width + v * LANES);
  for (int64_t t = count; t-- > 0;) {
    const Outer& step = steps[t];
    const real* g = step.cotangent.p + column;
    for (int64_t r = 0; r < step.rows; ++r, a += high, g += step.cotangent.stride) {
      vec c[vectors];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) c[v] = load(g + v * LANES);
#pragma GCC unroll 8
      for (int i = 0; i < high; ++i) {
        const vec x = broadcast(a[i]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sum[i][v] += c[v] * x;
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < high; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(out + i * width + v * LANES, sum[i][v]);
}

template <int vectors>
inline void outer_panel(real* panel, int64_t column, int64_t operand, const real* a, int64_t rows, const Outer* steps, int64_t count) {
  constexpr int width = VECTORS * LANES;
  int64_t from = 0;
  for (; from + HIGH <= operand; from += HIGH)
    outer_tile<HIGH, vectors>(panel + from * width, column, a + from * rows, steps, count);
  panel += from * width;
  a += from * rows;
  switch (operand - from) {
    case 5: outer_tile<5, vectors>(panel, column, a, steps, count); break;
    case 4: outer_tile<4, vectors>(panel, column, a, steps, count); break;
    case 3: outer_tile<3, vectors>(panel, column, a, steps, count); break;
    case 2: outer_tile<2, vectors>(panel, column, a, steps, count); break;
    case 1: outer_tile<1, vectors>(panel, column, a, steps, count); break;
    default: break;
  }
}

// Room for the operand's rows of so many steps.
inline int64_t outer_reals(int64_t rows, int64_t operand, int64_t columns) {
  (void)columns;
  return rows * operand;
}

// packed: such room.
template <class Step>
inline void gather_weight(real* out, real* packed, int64_t operand, int64_t columns, int64_t t0, int64_t t1, const Step& step) {
  constexpr int64_t width = VECTORS * LANES;
  Outer steps[64];
  int64_t rows = 0;
  for (int64_t t = t0; t < t1; ++t) {
    steps[t - t0] = step(t);
    rows += steps[t - t0].rows;
  }
  const int64_t count = t1 - t0;
  pack_operand(packed, operand, steps, count);
  for (int64_t column = 0; column < columns; column += width, out += width * operand) {
    const int64_t vectors = std::min<int64_t>(VECTORS, parts_of(columns - column, LANES));
    if (vectors == VECTORS) outer_panel<VECTORS>(out, column, operand, packed, rows, steps, count);
    else if (vectors == 3) outer_panel<(VECTORS > 3 ? 3 : 1)>(out, column, operand, packed, rows, steps, count);
    else if (vectors == 2) outer_panel<(VECTORS > 2 ? 2 : 1)>(out, column, operand, packed, rows, steps, count);
    else outer_panel<1>(out, column, operand, packed, rows, steps, count);
  }
}

}  // namespace celldsl
