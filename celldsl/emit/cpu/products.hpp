// Stacked products: what is multiplied, and where it lies.
namespace celldsl {

// Columns, depth and rows are filled up to multiples of these; so many packed numbers lie in a real.
#ifdef CELLDSL_BF16
constexpr int COLUMN_STEP = 16, DEPTH_STEP = 32, ROW_STEP = 16, PER_REAL = 2;
#else
constexpr int COLUMN_STEP = LANES, DEPTH_STEP = 1, ROW_STEP = 1, PER_REAL = 1;
#endif

// How the lanes of a vector are cut: in equal sections, where matrices are block-diagonal, and those in blocks that are
// worked on at a time.
struct Lanes {
  int64_t count = 0, sections = 1, block = 1, section = 0, each = 0;

  Lanes() = default;
  Lanes(int64_t lanes, int64_t in, int64_t most)
      : count(lanes), sections(in), block(most), section(lanes / in), each(parts_of(section, most)) {}
  int64_t blocks() const { return sections * each; }
  int64_t first(int64_t b) const { return sections == 1 ? b * block : b / each * section + b % each * block; }
  int64_t size(int64_t b) const { return std::min(block, section - (sections == 1 ? b : b % each) * block); }
};

// One stacked product of a stage: for each of `gates` results, lane j of the result is the sum over all segments s
// and all k of matrix[gate][s](j, k) * operand[s][row][k]; of a block-diagonal matrix, over the k of the lane's block.
// The columns of a block of lanes are gate 0's lanes, gate 1's lanes, …, packed without gaps.
constexpr int MOST_GATES = CELLDSL_MOST_GATES, MOST_SEGMENTS = CELLDSL_MOST_SEGMENTS;
struct Matrix {
  const real* p;
  int64_t down, across;  // strides from row to row and from column to column, within a block
  int64_t next;          // of a block-diagonal matrix, from block to block
};
struct Product {
  int gates = 0, segments = 0;
  int64_t depth = 0;
  Lanes lanes;
  int64_t length[MOST_SEGMENTS], cuts[MOST_SEGMENTS];  // cuts: blocks of a block-diagonal matrix, each so long; else 1
  Matrix matrix[MOST_GATES][MOST_SEGMENTS];
  real* packed = nullptr;

  int64_t vectors() const { return up(gates * lanes.block, COLUMN_STEP) / LANES; }
  int64_t blocks() const { return lanes.blocks(); }
  int64_t block_lanes(int64_t b) const { return lanes.size(b); }
  int64_t cut(int s, int64_t b) const { return cuts[s] == 1 ? 0 : lanes.first(b) / (lanes.count / cuts[s]); }
  int64_t packed_reals() const { return blocks() * vectors() * LANES * up(depth, DEPTH_STEP) / PER_REAL; }
  int64_t stride() const { return vectors() * LANES; }  // of the results of a block
  void close() {
    depth = 0;
    for (int s = 0; s < segments; ++s) depth += length[s];
  }
};

// One step's share of a matrix's gradient: the sum over rows of outer(cotangent, operand).
struct Outer {
  int64_t rows;
  Rows operand, cotangent;
};

// Gradients of matrices are kept transposed, in panels of columns: [columns / (VECTORS * LANES)][operand][VECTORS * LANES].
inline int64_t weight_reals(int64_t columns, int64_t operand) {
  return parts_of(columns, LANES * VECTORS) * LANES * VECTORS * up(operand, ROW_STEP);
}

}  // namespace celldsl
