// The sequence: how steps, threads and chunks follow each other, for any cell.
namespace celldsl {

// The rows of each step. In packed sequences they grow fewer.
struct Time {
  const int64_t* sizes = nullptr;  // rows of each step; none: `batch` in each
  int64_t steps = 0, batch = 0;
  std::vector<int64_t> offsets;

  void open(const int64_t* given, int64_t count, int64_t rows) {
    sizes = given;
    steps = count;
    batch = rows;
    if (sizes) {
      offsets.assign(static_cast<size_t>(steps) + 1, 0);
      for (int64_t t = 0; t < steps; ++t) offsets[static_cast<size_t>(t) + 1] = offsets[static_cast<size_t>(t)] + sizes[t];
    }
  }
  int64_t offset(int64_t t) const { return sizes ? offsets[static_cast<size_t>(t)] : t * batch; }
  // How many of the rows r0, …, r0 + most - 1 step t has.
  int64_t rows(int64_t t, int64_t r0, int64_t most) const {
    const int64_t size = sizes ? sizes[t] : batch;
    return std::max<int64_t>(0, std::min(most, size - r0));
  }
  // Steps of row r.
  int64_t length(int64_t r) const {
    if (!sizes) return steps;
    int64_t t = steps;
    while (t > 0 && sizes[t - 1] <= r) --t;
    return t;
  }
};

// A part of the lanes: all of them, or those of one of several threads; in whole blocks.
struct Part {
  int number = 0, of = 1;
  int64_t first(const Lanes& lanes) const { return of == 1 ? 0 : lanes.blocks() * number / of; }
  int64_t last(const Lanes& lanes) const { return of == 1 ? lanes.blocks() : lanes.blocks() * (number + 1) / of; }
};

// Asks for rows of `size` reals, or a part's share of them, so that they are near when the next step comes.
// write: 1 if they are to be written.
template <int write>
inline void fetch(Rows rows, int64_t count, int64_t size, Part part) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(real));
  if (rows.stride == size && part.of == 1) size *= count, count = 1;
  const int64_t begin = size * part.number / part.of, end = size * (part.number + 1) / part.of;
  for (int64_t r = 0; r < count; ++r)
    for (int64_t j = begin; j < end; j += line) __builtin_prefetch(rows[r] + j, write, 2);
}

// Lanes of a block: all, without padding between gates, while the results of a block stay in the first-level cache;
// else so many that they do, or that every part has some.
inline int64_t lane_block(int64_t lanes, int64_t gates, int64_t parts, int64_t rows) {
  const int64_t room = 32768 / static_cast<int64_t>(sizeof(real)) / std::max<int64_t>(1, rows);
  if (parts == 1 && lanes * gates <= std::max<int64_t>(room, 256)) return std::max<int64_t>(1, lanes);
  const int64_t fit = std::max<int64_t>(1, 256 / (gates * LANES)) * LANES;
  const int64_t fair = up(parts_of(lanes, parts), LANES);
  return std::max<int64_t>(1, std::min(std::min(fit, fair), up(lanes, LANES)));
}

// rows: at a time; gates: of the largest product; parts: threads that lanes are split over.
inline Lanes cut_lanes(int64_t lanes, int64_t sections, int64_t gates, int64_t parts, int64_t rows) {
  return Lanes(lanes, sections, lane_block(lanes / sections, gates, parts_of(parts, sections), rows));
}

inline Rows past(const Time& time, real* sequence, real* rolling, int64_t slots, int64_t t, int64_t r0, int64_t rows, int64_t size) {
  if (sequence) return {sequence + (time.offset(t) + r0) * size, size};
  return {rolling + (t % slots) * rows * size, size};
}
inline Rows initial(real* given, real* zeros, int64_t r0, int64_t size) {
  return given ? Rows{given + r0 * size, size} : Rows{zeros, 0};
}

// Cotangents that arrive from behind the last step, and leave before the first; both halves of the buffer start alike,
// so that rows of shorter sequences find theirs at whichever step is their last.
inline void receive(real* carry, int64_t most, const real* given, int64_t r0, int64_t rows, int64_t size) {
  const int64_t stride = up(size, LANES);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t half = 0; half < 2; ++half) {
      real* to = carry + (half * most + r) * stride;
      if (given) std::copy(given + (r0 + r) * size, given + (r0 + r + 1) * size, to);
      else std::fill(to, to + size, real(0));
    }
}
inline void deliver(const real* carry, int64_t most, real* out, int64_t r0, int64_t rows, int64_t size) {
  const int64_t stride = up(size, LANES);
  for (int64_t r = 0; r < rows; ++r)
    std::copy(carry + (most + r) * stride, carry + (most + r) * stride + size, out + (r0 + r) * size);
}

// --- weight gradients ----------------------------------------------------------------------

// One step's share of a matrix's gradient: the sum over rows of outer(cotangent, operand).
struct Outer {
  int64_t rows;
  Rows operand, cotangent;
};

// Kept transposed, in panels of columns: [columns / (VECTORS * LANES)][operand][VECTORS * LANES].
inline int64_t weight_reals(int64_t columns, int64_t operand) {
  return parts_of(columns, LANES * VECTORS) * LANES * VECTORS * operand;
}

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

// packed: room for the operand's rows of all steps t0 to t1.
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

template <class Of>
inline void gather_sum(real* out, int64_t width, int count, const Of& of) {
  for (int i = 0; i < count; ++i) {
    const real* from = of(i);
    for (int64_t j = 0; j < width; ++j) out[j] += from[j];
  }
}

// out[j][k] += the sum of column offset + j, operand entry k, over all threads' panels.
template <class Of>
inline void spread_weight(real* out, int64_t width, int64_t operand, int64_t offset, int count, Part part, const Of& of) {
  constexpr int64_t panel = VECTORS * LANES;
  const int64_t begin = width * part.number / part.of, end = width * (part.number + 1) / part.of;
  for (int i = 0; i < count; ++i) {
    const real* from = of(i);
    for (int64_t k0 = 0; k0 < operand; k0 += 16)
      for (int64_t j = begin; j < end; ++j) {
        const int64_t column = offset + j;
        const real* at = from + column / panel * panel * operand + column % panel;
        for (int64_t k = k0; k < std::min(k0 + 16, operand); ++k) out[j * operand + k] += at[k * panel];
      }
  }
}

}  // namespace celldsl
