"""Specs that have in them what the shipped ones lack."""

from __future__ import annotations

ODD = {
    "Projected": """
cell Projected {
  dim p
  state c: p
  i_t = σ(W_i x_t + U_i h_{t-1} + b_i)
  f_t = σ(W_f x_t + U_f h_{t-1} + b_f)
  c_t = f_t ⊙ c_{t-1} + i_t ⊙ tanh(W_c x_t + U_c h_{t-1} + b_c)
  h_t = R tanh(c_t)
}""",
    "Delayed": """
cell Delayed {
  hyper kappa = 0.96
  param alpha: scalar
  param p: n
  dim k
  param F: k×m
  z_t = tanh(W x_t + V x_{t-1} + p ⊙ h_{t-2} + b)
  f_t = σ(W_f (F x_t) + U h_{t-1} + U_3 h_{t-3})
  h_t = alpha * f_t / (1 + f_t^2) * h_{t-1} + kappa (1 - f_t)^3 * z_t + exp(-h_{t-2} * h_{t-2}) / 7
}""",
    "Reduced": """
cell Reduced {
  param beta: scalar
  param b: n
  param g: n
  a_t = softmax(A [h_{t-1}; x_t] + b)
  s_t = sum(a_t * h_{t-1}) + dot(h_{t-1}, b) + beta
  q_t = layernorm(U^T h_{t-1} + W x_t) * g + mean(h_{t-1})
  k_t = cumax(W x_t + b)
  h_t = σ(s_t) * q_t + (1 - σ(s_t)) * k_t * beta + rmsnorm(q_t) * norm(q_t) + cumsum(a_t)
}""",
    "Functions": """
cell Functions {
  param b: n
  u_t = W x_t + U h_{t-1}
  v_t = relu(u_t - 1/2) + hard_sigmoid(u_t) / 2 + hard_tanh(2 * u_t) / 3 + softplus(u_t) / 4 + softsign(3 * u_t) / 5
  w_t = silu(u_t) + gelu(u_t) / 2 + elu(u_t) / 3 + leaky_relu(u_t - 1) / 4 + log_sigmoid(u_t) / 5 + abs(u_t) / 6
  y2_t = sin(u_t) + cos(2 * u_t) / 3 + floor(3 * u_t) / 10 + sign(u_t) / 9 + max(u_t, h_{t-1}) + min(u_t, b)
  z_t = clamp(u_t, -0.5, 0.4) + log(1 + u_t * u_t) + sqrt(2 + h_{t-1} * h_{t-1}) + exp(-u_t) + (1 + u_t * u_t)^0.3
  h_t = tanh((v_t + w_t) / 3) + tanh((y2_t + z_t) / 9) / 2
}""",
    "Antisymmetric": """
cell Antisymmetric {
  const gamma = 0.01
  const eps = 0.1
  A = U - U^T - gamma I
  lam = exp(-exp(nu))
  h_t = lam ⊙ h_{t-1} + eps * tanh(A h_{t-1} + W x_t + b)
}""",
    "TwoOrders": """
cell TwoOrders {
  h_t = tanh(W [h_{t-1}; x_t] + V [x_t; h_{t-1}] + b)
}""",
    "ConstantGates": """
cell ConstantGates {
  output y
  param beta: scalar
  g_t = σ(b_g)
  k_t = g_t * g_t + σ(beta) + M g_t
  u_t = W x_t
  c_t = g_t * c_{t-1} + (1 - g_t) * k_t * tanh(u_t) + u_{t-1}
  y_t = σ(V c_t) * u_t
}""",
    "IndRNN": """
cell IndRNN {
  h_t = relu(W x_t + u ⊙ h_{t-1} + b)
}""",
    "TwoInputs": """
cell TwoInputs {
  input x: m, s: k
  state c: p
  init h_0 = learned
  z_t = σ(W x_t + V s_t + U h_{t-1} + b)
  h_t = z_t * h_{t-1} + (1 - z_t) * tanh(W_h x_t + V_h s_t + U_h c_{t-1})
  c_t = tanh(c_{t-1} + M h_t)
}""",
    "MinGRU": """
cell MinGRU {
  z_t = σ(W_z x_t + b_z)
  h_t = (1 - z_t) * h_{t-1} + z_t * (W_h x_t + b_h)
}""",
    "SRU": """
cell SRU {
  output h
  u_t = W x_t
  f_t = σ(W_f x_t + v_f ⊙ c_{t-1} + b_f)
  r_t = σ(W_r x_t + v_r ⊙ c_{t-1} + b_r)
  c_t = f_t * c_{t-1} + (1 - f_t) * u_t
  h_t = r_t * tanh(c_t) + (1 - r_t) * u_t
}""",
    "Structured": """
cell Structured {
  dim r
  param W: n×m lowrank(r)
  param U: n×n diagonal
  param S: n×n symmetric
  param O: n×n orthogonal
  param P: n×n blocks(1)
  f_t = σ(W x_t + U h_{t-1} + S h_{t-1} + P^T h_{t-1} + b_f)
  h_t = f_t ⊙ tanh(O h_{t-1} + W x_t) + O^T (f_t ⊙ h_{t-1})
}""",
    "Parts": """
cell Parts {
  input x: m, s: m
  param U: (3 n + 2)×n
  param W: (3 n + 2)×m
  param b: 3 n + 2
  param d: 2 n + m
  param P: n×(n - 1)
  param Q: n×(m - 1)
  param R: n×(n + 1)
  param S: n×m
  param L: n×1
  v_t = U h_{t-1} + W x_t + b
  k_t = [h_{t-1}; tanh(s_t)]
  q_t = Q x_t[2..m] + P h_{t-2}[2..n] + S (k_t[n+1 .. n+m] ⊙ d[2n+1 .. 2n+m])
  g_t = σ(v_t[1..n]) ⊙ k_t[2 .. n+1] + v_t[3..2n+2][2..n+1] ⊙ softmax(v_t[2n+1 .. 3n])
  e_t = tanh(R v_t[n..2n] + q_t + d[1..n] ⊙ h_{t-2})
  h_t = (g_t + e_t) / 2 + L (v_t[3n+2 .. 3n+2] + h_{t-1}[n..n]) ⊙ dot(d[n+1 .. 2n], h_{t-1}) / 9
}""",
    "Blocks": """
cell Blocks {
  hyper k = 3
  param A: n×n blocks(2)
  param B: n×n blocks(k)
  param C: n×m blocks(2)
  param D: n×n blocks(k)
  f_t = σ(A h_{t-1} + C x_t + b_f)
  g_t = tanh(B h_{t-1} + W x_t + U h_{t-2} + b_g)
  h_t = f_t ⊙ h_{t-1} + (1 - f_t) ⊙ tanh(g_t + D^T (f_t ⊙ h_{t-2}) + C tanh(x_t) - A h_{t-2} + V h_{t-1})
}""",
    "Stacked": """
cell Stacked {
  param U: (3 n)×n
  param W: (3 n)×m
  v_t = U h_{t-1} + W x_t + b
  i_t = σ(v_t[1..n] + V [h_{t-2}; c_{t-1}] + [h_{t-1}; x_t][2 .. n+1])
  c_t = i_t ⊙ c_{t-1} + (1 - i_t) ⊙ tanh(v_t[n+1 .. 2n])
  h_t = σ(v_t[2n+1 .. 3n]) ⊙ c_t
}""",
    "Repeats": """
cell Repeats {
  dim p
  output y
  state h: 3 p, c: 3 p
  param a: p
  param M: p×p
  w_t = cumax(W x_t + U h_{t-1})
  u_t = tanh(M w_t + a)
  f_t = σ(W_f x_t + V repeat(u_t, 3) + b)
  c_t = repeat(w_t, 3) ⊙ c_{t-1} + repeat(w_t ⊙ u_t, 3) ⊙ repeat(a, 3) ⊙ f_t
  h_t = tanh(c_t) + repeat(u_t + c_{t-1}[p+1 .. 2p], 3) ⊙ h_{t-1} / 4
  y_t = Y h_t[2 .. 2p+1] + Z [h_t[1..p]; c_t]
}""",
    "FromMinusInfinity": """
cell FromMinusInfinity {
  param R: n×n frozen
  i_t = W_i x_t + U_i h_{t-1} + b_i
  m_t = max(m_{t-1} - k, i_t)
  c_t = exp(m_{t-1} - k - m_t) ⊙ c_{t-1} + exp(i_t - m_t) ⊙ tanh(W_c x_t + R h_{t-1} + b_c)
  s_t = exp(m_{t-1} - k - m_t) ⊙ s_{t-1} + exp(i_t - m_t)
  h_t = c_t / s_t
  init m_0 = -inf
  init R = spectral(0.9, normal(1))
}""",
}
