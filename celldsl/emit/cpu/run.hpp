// --- a call: threads, groups of rows, steps ------------------------------------------------

template <bool save, class Call>
void sequence(const Call& k, typename Call::Memory& w, int64_t r0, Part part, Barrier* barrier) {
  if (part.number == 0) begin(k, w, r0);
  if (barrier) barrier->wait();
  if constexpr (Call::backward) {
    for (int64_t t = k.steps; t-- > 0;) {
      const typename Call::At at(k, w, t, r0);
      if (t > 0) ahead<save>(k, typename Call::At(k, w, t - 1, r0), part);
      if (at.rows > 0) step<save>(k, w, at, part, barrier);
      if (Call::weight_count > 0 && t % k.chunk == 0) gather_weights(k, w, t, std::min(t + k.chunk, k.steps), r0);
    }
  } else {
    for (int64_t t = 0; t < k.steps; ++t) {
      const typename Call::At at(k, w, t, r0);
      if (at.rows <= 0) break;
      if (t + 1 < k.steps) ahead<save>(k, typename Call::At(k, w, t + 1, r0), part);
      step<save>(k, w, at, part, barrier);
    }
  }
  if (barrier) barrier->wait();
  if (part.number == 0) end(k, w, r0);
}

template <class Call>
void pack_weights(const Call& k, int number, int of) {
  int64_t turn = 0;
  for (int i = 0; i < Call::product_count; ++i)
    for (int64_t b = 0; b < k.products[i].blocks(); ++b)
      if (turn++ % of == number) pack(k.products[i], b);
}

// What a thread owns lasts as long as the thread.
struct Owned {
  Arena shared, own;
};
inline Owned& owned() {
  static thread_local Owned mine;
  return mine;
}

template <class Call>
void run(const Call& k) {
  using Memory = typename Call::Memory;
  const int threads = static_cast<int>(k.threads);
  const bool save = k.saves();
  std::vector<Memory> all(static_cast<size_t>(threads));
  std::atomic<bool> failed{false};
  Barrier barrier;
  const bool split = k.split && Call::can_split && threads > 1;
  if (split) {
    Arena& arena = owned().shared;
    arena.open(Memory::shared_reals(k, k.batch));
    all[0].share(k, arena, k.batch);
  }
  on_threads(threads, [&](int number, int of) {
    barrier.open(of);
    const Unit unit;
    Memory mine = all[0];
    try {
      Owned& memory = owned();
      const int64_t rows = split ? k.batch : k.most_rows;
      if (!split) {
        memory.shared.open(Memory::shared_reals(k, rows));
        mine = Memory();
        mine.share(k, memory.shared, rows);
      }
      memory.own.open(Memory::own_reals(k, rows));
      mine.own(k, memory.own);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    if (k.pack) pack_weights(k, number, of);
    barrier.wait();
    if (failed) return;
    if (split) {
      const Part part{number, of};
      if (save) sequence<true>(k, mine, 0, part, of > 1 ? &barrier : nullptr);
      else sequence<false>(k, mine, 0, part, of > 1 ? &barrier : nullptr);
      return;
    }
    for (int64_t r0 = number * k.most_rows; r0 < k.batch; r0 += of * k.most_rows) {
      if (save) sequence<true>(k, mine, r0, Part(), nullptr);
      else sequence<false>(k, mine, r0, Part(), nullptr);
    }
    all[static_cast<size_t>(number)] = mine;
    if constexpr (Call::backward) {
      barrier.wait();
      finish(k, all.data(), of, Part{number, of});
    }
  });
  if (failed) throw std::bad_alloc();
  if constexpr (Call::backward)
    if (split) finish(k, all.data(), 1, Part());
}

// --- the weights as one number ---------------------------------------------------------------

// Of `count` arrays: another number, but for one chance in four thousand million, where any entry is another. Much
// quicker than packing, so that packed weights are kept between calls whatever way a program writes to its weights.
inline uint64_t fingerprint(const void* const* arrays, const int64_t* bytes, int64_t count) {
  typedef uint32_t words __attribute__((vector_size(BYTES)));
  constexpr int WAYS = 8;
  words sum[WAYS];
  for (int i = 0; i < WAYS; ++i) sum[i] = words{} + (2166136261u + static_cast<uint32_t>(i));
  uint64_t rest = 1469598103934665603ull;
  for (int64_t a = 0; a < count; ++a) {
    const unsigned char* p = static_cast<const unsigned char*>(arrays[a]);
    int64_t at = 0;
    for (; at + WAYS * BYTES <= bytes[a]; at += WAYS * BYTES)
      for (int i = 0; i < WAYS; ++i) {
        words w;
        std::memcpy(&w, p + at + i * BYTES, BYTES);
        w ^= sum[i];
        sum[i] = ((w << 13) | (w >> 19)) * 16777619u;  // turned, else two signs that change would cancel
      }
    for (; at < bytes[a]; at += 4) {
      uint32_t word = 0;
      std::memcpy(&word, p + at, 4);  // sizes are multiples of 4
      rest ^= word;
      rest = ((rest << 29) | (rest >> 35)) * 1099511628211ull;
    }
  }
  for (int i = 0; i < WAYS; ++i)
    for (size_t k = 0; k < BYTES / sizeof(uint32_t); ++k) rest = (rest ^ sum[i][k]) * 1099511628211ull;
  return rest;
}
