// What a writer of a store tests it with.
export { type StoreContractOptions, storeContract } from './store-contract'
