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
        const real* at = from + column / panel * panel * up(operand, ROW_STEP) + column % panel;
        for (int64_t k = k0; k < std::min(k0 + 16, operand); ++k) out[j * operand + k] += at[k * panel];
      }
  }
}

}  // namespace celldsl
